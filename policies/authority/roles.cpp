#include "policies/authority/roles.hpp"

#include <initializer_list>

namespace homeostat {

namespace {

constexpr unsigned bit(permission p) { return 1U << static_cast<unsigned>(p); }

constexpr unsigned all_of(std::initializer_list<permission> permissions) {
  unsigned bits = 0;
  for (const permission p : permissions) bits |= bit(p);
  return bits;
}

constexpr unsigned permissions_of(role who) {
  using enum permission;
  switch (who) {
  case role::viewer: return all_of({read});
  case role::proposer: return all_of({read, propose});
  case role::operator_: return all_of({read, command, propose, override_values});
  case role::approver: return all_of({read, command, propose, approve});
  case role::admin: return all_of({read, command, propose, approve, override_values, administer});
  }
  return 0;
}

} // namespace

bool permits(role who, permission what) { return (permissions_of(who) & bit(what)) != 0; }

std::string_view name_of(role who) {
  switch (who) {
  case role::viewer: return "viewer";
  case role::proposer: return "proposer";
  case role::operator_: return "operator";
  case role::approver: return "approver";
  case role::admin: return "admin";
  }
  return "?";
}

std::string_view name_of(permission what) {
  switch (what) {
  case permission::read: return "read";
  case permission::command: return "command";
  case permission::propose: return "propose";
  case permission::approve: return "approve";
  case permission::override_values: return "override_values";
  case permission::administer: return "administer";
  }
  return "?";
}

std::optional<role> role_from(std::string_view name) {
  for (const role who : all_roles)
    if (name == name_of(who)) return who;
  return std::nullopt;
}

} // namespace homeostat
