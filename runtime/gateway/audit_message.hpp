#pragma once

#include "messages/control.pb.h"
#include "messages/text.hpp"
#include "runtime/store/store.hpp"

namespace homeostat {

/// @returns one entry of /api/v1/audit. Of a record that is not readable it has what the store knows of it.
[[nodiscard]] inline v1::AuditEntry audit_message(const stored_record& record) {
  v1::AuditEntry entry;
  entry.set_sequence(record.sequence);
  entry.set_hash(to_hex(record.hash));
  v1::AuditRecord* out = entry.mutable_record();
  if (out->ParseFromString(record.payload)) return entry;
  out->Clear(); // what was read of it may not even be text
  out->set_time_us(record.time.time_since_epoch().count());
  out->set_kind(codec::text(record.kind));
  out->set_loop(codec::text(record.loop));
  out->set_generation(record.generation);
  out->set_text("the record cannot be read (" + std::to_string(record.payload.size()) + " bytes)");
  return entry;
}

} // namespace homeostat
