#pragma once

#include "runtime/store/store.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace homeostat {

/// Where one test keeps its store: empty at first, the same data at every opening.
class store_place {
public:
  virtual ~store_place() = default;
  virtual std::expected<std::unique_ptr<store>, store_error> open() = 0;
};

/// One implementation under the contract.
struct store_implementation {
  std::string name;
  std::function<std::unique_ptr<store_place>()> make_place;
};

/// What every store must do. The tests are in store_contract.cpp; a test program links that file and instantiates the
/// suite with its implementation.
class store_contract : public ::testing::TestWithParam<store_implementation> {
protected:
  void SetUp() override {
    place_ = GetParam().make_place();
    reopen();
  }

  void reopen() {
    if (store_) store_->close();
    store_.reset();
    auto opened = place_->open();
    ASSERT_TRUE(opened) << opened.error().what;
    store_ = std::move(*opened);
  }

  std::unique_ptr<store_place> place_;
  std::unique_ptr<store> store_;
};

/// A record whose fields all derive from a number, so that a mix-up shows.
inline audit_entry entry(std::uint64_t n, const std::string& loop = "checkout") {
  return {instant{duration{1'700'000'000'000'000 + static_cast<std::int64_t>(n)}}, loop, "applied", 100 + n,
          "payload " + std::to_string(n)};
}

inline store_batch records(std::initializer_list<audit_entry> entries) {
  store_batch b;
  b.records = entries;
  return b;
}

inline store_batch state(std::string key, std::optional<std::string> value) {
  store_batch b;
  b.state.push_back({std::move(key), std::move(value)});
  return b;
}

/// @returns the value; fails the test and returns an empty one when there is an error instead.
template <class value> value got(std::expected<value, store_error> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << to_string(result.error().kind) << ": " << result.error().what;
  return value{};
}

/// @returns the kind of the error; fails the test when there is none.
template <class value> store_error_kind kind_of(const std::expected<value, store_error>& result) {
  if (!result) return result.error().kind;
  ADD_FAILURE() << "a value, expected an error";
  return store_error_kind{255};
}

inline std::uint64_t commit_one(store& s, const store_batch& batch) { return got(s.commit(std::span{&batch, 1})); }

} // namespace homeostat
