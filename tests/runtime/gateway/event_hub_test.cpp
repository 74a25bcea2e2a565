// Events: bounded everywhere, resumable, and honest about what was lost.
#include "runtime/gateway/event_hub.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

using ::testing::HasSubstr;

const auto always = [] { return true; };
const std::string hello = "retry: 2000\n\n";

std::string event(int number, const std::string& name, const std::string& json) {
  return "id: e-" + std::to_string(number) + "\nevent: " + name + "\ndata: " + json + "\n\n";
}

TEST(EventHub, DeliversInOrderToEverybody) {
  const auto hub = event_hub::make("e");
  const auto a = hub->subscribe("", always), b = hub->subscribe("", always);
  int woken = 0;
  a->on_ready([&] { ++woken; });
  hub->publish("audit", "{\"n\":1}");
  hub->publish("audit", "{\"n\":2}");
  const std::string both = hello + event(1, "audit", "{\"n\":1}") + event(2, "audit", "{\"n\":2}");
  EXPECT_EQ(a->take(), both);
  EXPECT_EQ(a->take(), "");
  EXPECT_EQ(b->take(), both);
  EXPECT_EQ(woken, 2);
  EXPECT_FALSE(a->ended());
}

TEST(EventHub, ResumesAfterTheLastEvent) {
  const auto hub = event_hub::make("e");
  for (int i = 1; i <= 3; ++i) hub->publish("audit", std::to_string(i));
  EXPECT_EQ(hub->subscribe("e-1", always)->take(), hello + event(2, "audit", "2") + event(3, "audit", "3"));
  EXPECT_EQ(hub->subscribe("e-3", always)->take(), hello);
  EXPECT_EQ(hub->subscribe("", always)->take(), hello) << "who has no past begins now";
}

TEST(EventHub, SaysHowManyTheRingNoLongerHas) {
  const auto hub = event_hub::make("e", {.ring = 2});
  for (int i = 1; i <= 5; ++i) hub->publish("audit", std::to_string(i));
  EXPECT_EQ(hub->subscribe("e-1", always)->take(),
            hello + "event: lost\ndata: {\"lost\":2}\n\n" + event(4, "audit", "4") + event(5, "audit", "5"));
  EXPECT_EQ(hub->subscribe("e-3", always)->take(), hello + event(4, "audit", "4") + event(5, "audit", "5"));
}

TEST(EventHub, AnIdOfAnotherLifeIsLost) {
  const auto hub = event_hub::make("e");
  hub->publish("audit", "1");
  const std::string lost = hello + "event: lost\ndata: {\"lost\":null}\n\n" + event(1, "audit", "1");
  for (const char* id : {"f-1", "e-2", "e-", "e", "1", "-", "e-1x", "e--1"})
    EXPECT_EQ(hub->subscribe(id, always)->take(), lost) << id;
}

TEST(EventHub, ASlowReaderLosesTheOldest) {
  const auto hub = event_hub::make("e", {.queue = 2});
  const auto slow = hub->subscribe("", always);
  for (int i = 1; i <= 5; ++i) hub->publish("audit", std::to_string(i));
  EXPECT_EQ(slow->take(),
            hello + "event: lost\ndata: {\"lost\":3}\n\n" + event(4, "audit", "4") + event(5, "audit", "5"));
  hub->publish("audit", "6");
  EXPECT_EQ(slow->take(), event(6, "audit", "6"));
}

TEST(EventHub, OnlyTheNewestStateWaits) {
  const auto hub = event_hub::make("e");
  const auto a = hub->subscribe("", always);
  hub->publish_state("status", "1");
  hub->publish("audit", "2");
  hub->publish_state("status", "3");
  EXPECT_EQ(a->take(), hello + event(1, "audit", "2") + event(1, "status", "3"));
  EXPECT_EQ(hub->subscribe("e-0", always)->take(), hello + event(1, "audit", "2")) << "states are not replayed";
}

TEST(EventHub, TheRingIsBoundedInBytes) {
  const auto hub = event_hub::make("e", {.ring_bytes = 1000});
  for (int i = 0; i < 10; ++i) hub->publish("audit", std::string(300, 'x'));
  EXPECT_THAT(hub->subscribe("e-0", always)->take(), HasSubstr("{\"lost\":7}"));
}

TEST(EventHub, TakesSoManySubscribersAndNoMore) {
  const auto hub = event_hub::make("e", {.subscribers = 2});
  auto a = hub->subscribe("", always), b = hub->subscribe("", always);
  EXPECT_EQ(hub->subscribe("", always), nullptr);
  a->close();
  EXPECT_NE(hub->subscribe("", always), nullptr) << "a closed one makes room";
  b.reset();
  EXPECT_NE(hub->subscribe("", always), nullptr) << "and so does a dropped one";
}

TEST(EventHub, ListensWhileSomebodyDoes) {
  const auto hub = event_hub::make("e");
  EXPECT_FALSE(hub->listening());
  auto a = hub->subscribe("", always);
  EXPECT_TRUE(hub->listening());
  a->close();
  EXPECT_FALSE(hub->listening());
}

TEST(EventHub, EndsTheStreamOfWhoMayNoLongerListen) {
  const auto hub = event_hub::make("e");
  bool allowed = true;
  const auto a = hub->subscribe("", [&] { return allowed; });
  hub->check_subscribers();
  EXPECT_FALSE(a->ended());
  allowed = false;
  hub->check_subscribers();
  (void)a->take();
  EXPECT_TRUE(a->ended());
  hub->publish("audit", "1");
  EXPECT_EQ(a->take(), "");
}

TEST(EventHub, AHeartbeatIsAComment) {
  const auto hub = event_hub::make("e");
  const auto a = hub->subscribe("", always);
  (void)a->take();
  hub->heartbeat();
  hub->heartbeat();
  EXPECT_EQ(a->take(), ": alive\n\n") << "one is enough";
}

TEST(EventHub, EndEndsAll) {
  const auto hub = event_hub::make("e");
  const auto a = hub->subscribe("", always);
  (void)a->take();
  hub->end();
  EXPECT_TRUE(a->ended());
  EXPECT_EQ(hub->subscribe("", always), nullptr);
}

} // namespace
} // namespace homeostat
