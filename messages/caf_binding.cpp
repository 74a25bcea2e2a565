#include "messages/caf_binding.hpp"

#include <caf/actor_system_config.hpp>

namespace homeostat {

void register_messages(caf::actor_system_config& config) { config.add_message_types<caf::id_block::homeostat>(); }

} // namespace homeostat
