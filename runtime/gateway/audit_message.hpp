#pragma once

#include "messages/control.pb.h"
#include "runtime/store/store.hpp"

namespace homeostat {

/// @returns one entry of /api/v1/audit.
[[nodiscard]] inline v1::AuditEntry audit_message(const stored_record& record) {
  v1::AuditEntry entry;
  entry.set_sequence(record.sequence);
  entry.set_hash(to_hex(record.hash));
  entry.mutable_record()->ParseFromString(record.payload);
  return entry;
}

} // namespace homeostat
