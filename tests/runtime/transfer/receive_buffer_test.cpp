#include "runtime/transfer/receive_buffer.hpp"
#include "tests/runtime/transfer/buffer_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace homeostat {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

receive_buffer filled(receive_buffers& from, std::size_t size) {
  auto buffer = from.take(size).value();
  EXPECT_TRUE(buffer.append(rig::pattern(std::min(size, mib))));
  return buffer;
}

TEST(ReceiveBuffer, HoldsWhatWasAppendedInOrder) {
  auto buffer = receive_buffer::of(3 * mib + 5).value();
  const auto first = rig::pattern(2 * mib - 1, 1);
  const auto second = rig::pattern(mib + 6, 2);
  EXPECT_TRUE(buffer.bytes().empty());
  ASSERT_TRUE(buffer.append(first));
  ASSERT_TRUE(buffer.append({}));
  ASSERT_TRUE(buffer.append(second));
  ASSERT_EQ(buffer.bytes().size(), first.size() + second.size());
  EXPECT_TRUE(std::ranges::equal(buffer.bytes().first(first.size()), first));
  EXPECT_TRUE(std::ranges::equal(buffer.bytes().subspan(first.size()), second));
}

TEST(ReceiveBuffer, TakesNothingBeyondItsCapacity) {
  auto buffer = receive_buffer::of(1).value();
  const auto whole = rig::pattern(buffer.capacity());
  ASSERT_TRUE(buffer.append(whole)) << "every byte of its capacity is there";
  EXPECT_FALSE(buffer.append(std::as_bytes(std::span("x", 1))));
  EXPECT_TRUE(std::ranges::equal(buffer.bytes(), whole)) << "as it was";
}

TEST(ReceiveBuffer, WhatNoSystemHasIsNotThere) {
  for (const std::size_t size : {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2})
    EXPECT_FALSE(receive_buffer::of(size)) << size;
}

TEST(ReceiveBuffers, NextTransferGetsTheRoomOfTheLastAndNoneOfItsBytes) {
  receive_buffers buffers;
  buffers.give_back(filled(buffers, 40 * mib));
  const auto next = buffers.take(3 * mib).value();
  EXPECT_GE(next.capacity(), 40 * mib) << "made anew";
  EXPECT_TRUE(next.bytes().empty());
  EXPECT_LT(buffers.take(3 * mib)->capacity(), 40 * mib) << "lent twice";
}

TEST(ReceiveBuffers, RoomThatIsTooSmallWaitsForAnother) {
  receive_buffers buffers;
  buffers.give_back(filled(buffers, 4 * mib));
  EXPECT_GE(filled(buffers, 20 * mib).capacity(), 20 * mib);
  EXPECT_EQ(buffers.take(1)->capacity(), 4 * mib) << "still kept";
}

TEST(ReceiveBuffers, KeepNoMoreThanTheirBound) {
  receive_buffers buffers;
  std::vector<receive_buffer> used;
  for (const std::size_t size : {100 * mib, 101 * mib, 102 * mib}) used.push_back(filled(buffers, size));
  for (receive_buffer& one : used) buffers.give_back(std::move(one));
  EXPECT_GE(buffers.take(1)->capacity(), 102 * mib);
  EXPECT_GE(buffers.take(1)->capacity(), 101 * mib);
  EXPECT_LT(buffers.take(1)->capacity(), 100 * mib) << "three are more than " << receive_buffers::kept_bytes;

  buffers.give_back(filled(buffers, receive_buffers::kept_bytes + 1));
  EXPECT_LT(buffers.take(1)->capacity(), 100 * mib) << "one that is too large alone";

  std::vector<receive_buffer> many;
  while (many.size() < receive_buffers::most_kept + 1) many.push_back(filled(buffers, 4 * mib));
  for (receive_buffer& one : many) buffers.give_back(std::move(one));
  std::size_t kept = 0;
  while (buffers.take(1)->capacity() == 4 * mib) ++kept;
  EXPECT_EQ(kept, receive_buffers::most_kept);
}

} // namespace
} // namespace homeostat
