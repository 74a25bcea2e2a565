#pragma once

#include "messages/experiments.pb.h"
#include "policies/transfer/experiment.hpp"

namespace homeostat::codec {

// The rules of an experiment between the API's and the stored message and the policy's settings.

void put(v1::ExperimentRules* out, const experiment_settings& x);
/// Sets what the message has; the rest stays. @throws malformed (codec_fields.hpp)
void get(const v1::ExperimentRules& in, experiment_settings& x);

} // namespace homeostat::codec
