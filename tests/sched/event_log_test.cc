#include "core/sched/event_log.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::sched {
namespace {

using absl::StatusCode;
using testing::FailsWith;

class EventLogTest : public ::testing::Test {
 protected:
  EventLogWriter Writer() { return EventLogWriter::Open(path_, clock_).value(); }
  std::vector<Event> ReadAll() { return EventLogReader(path_).Poll(1'000'000).value(); }
  std::vector<int64_t> Numbers() {
    std::vector<int64_t> numbers;
    for (const Event& event : ReadAll()) numbers.push_back(event.number);
    return numbers;
  }
  // Adds raw bytes, as a writer that is interrupted, or another program, would.
  void AddBytes(const std::string& bytes) {
    std::ofstream file(path_, std::ios::binary | std::ios::app);
    file << bytes;
  }
  std::string Content() {
    std::ostringstream content;
    content << std::ifstream(path_, std::ios::binary).rdbuf();
    return content.str();
  }

  const testing::ScratchDirectory scratch_;
  const std::string path_ = scratch_.Path("events.jsonl");
  testing::FakeClock clock_;
};

std::string Line(int64_t number, const std::string& data = "{}") {
  return fmt::format(R"({{"version":1,"number":{},"time":"t","type":"log","data":{}}})", number, data) + "\n";
}

TEST_F(EventLogTest, WritesTheDocumentedLine) {
  clock_.Advance(std::chrono::microseconds(42));
  EventLogWriter writer = Writer();
  EXPECT_EQ(writer.Append("progress", "{\"b\":1,\n \"a\":0.1}").value(), 1);
  EXPECT_EQ(Content(),
            "{\"version\":1,\"number\":1,\"time\":\"2023-11-14T22:13:20.000042Z\",\"type\":\"progress\",\"data\":"
            "{\"b\":1,  \"a\":0.1}}\n");
  const std::vector<Event> events = ReadAll();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0], (Event{1, "2023-11-14T22:13:20.000042Z", "progress", R"({"b":1,"a":0.1})", -1, 0}));
}

TEST_F(EventLogTest, FollowsAGrowingLog) {
  EventLogReader reader(path_);
  EXPECT_TRUE(reader.Poll(10).value().empty());  // no file yet
  EventLogWriter writer = Writer();
  for (int i = 0; i < 5; ++i) ASSERT_OK(writer.Append("log", std::to_string(i)));
  EXPECT_EQ(reader.Poll(3).value().size(), 3u);
  EXPECT_EQ(reader.Poll(3).value().size(), 2u);
  EXPECT_TRUE(reader.Poll(3).value().empty());
  ASSERT_OK(writer.Append("log", "[5]"));
  const std::vector<Event> last = reader.Poll(3).value();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].data, "[5]");
}

TEST_F(EventLogTest, LeavesATornLineUntilItIsComplete) {
  const std::string line = Line(1);
  for (size_t cut = 1; cut < line.size(); ++cut) {
    std::ofstream(path_, std::ios::trunc) << line.substr(0, cut);
    EventLogReader reader(path_);
    EXPECT_TRUE(reader.Poll(10).value().empty()) << cut;
    AddBytes(line.substr(cut));
    EXPECT_EQ(reader.Poll(10).value().size(), 1u) << cut;
  }
}

TEST_F(EventLogTest, ContinuesTheNumbersAfterATornLine) {
  const std::string line = Line(2);
  for (size_t cut = 1; cut <= line.size(); ++cut) {
    std::ofstream(path_, std::ios::trunc) << Line(1) << line.substr(0, cut);
    EventLogWriter writer = Writer();
    // A line that lacks only its newline is an event once the newline is there.
    const int64_t next = cut + 1 >= line.size() ? 3 : 2;
    EXPECT_EQ(writer.Append("log", "{}").value(), next) << cut;
    EXPECT_EQ(Numbers(), next == 3 ? (std::vector<int64_t>{1, 2, 3}) : (std::vector<int64_t>{1, 2})) << cut;
  }
}

TEST_F(EventLogTest, SkipsWhatItDoesNotKnow) {
  AddBytes(Line(1));
  AddBytes("\n\nnot json\n{}\n[1]\n\"text\"\n{\"version\":1}\n");
  AddBytes("{\"version\":2,\"number\":2,\"time\":\"t\",\"type\":\"log\",\"data\":{}}\n");
  AddBytes("{\"version\":1,\"number\":\"2\",\"time\":\"t\",\"type\":\"log\",\"data\":{}}\n");
  AddBytes("{\"version\":1,\"number\":2,\"time\":\"t\",\"type\":\"log\",\"data\":\"\xff\"}\n");
  AddBytes(Line(1));  // numbers never go back
  AddBytes(Line(3, std::string(100000, '[') + std::string(100000, ']')));
  AddBytes(Line(4));
  EXPECT_EQ(Numbers(), (std::vector<int64_t>{1, 4}));
}

TEST_F(EventLogTest, SkipsHugeLines) {
  AddBytes(Line(1));
  AddBytes(std::string(5 << 20, 'x'));
  EventLogReader reader(path_);
  EXPECT_EQ(reader.Poll(10).value().size(), 1u);
  AddBytes(std::string(1 << 20, 'x') + "\n" + Line(2));
  EXPECT_EQ(reader.Poll(10).value().size(), 1u);
  EXPECT_EQ(Numbers(), (std::vector<int64_t>{1, 2}));
}

TEST_F(EventLogTest, RefusesWhatIsNoEvent) {
  EventLogWriter writer = Writer();
  for (const char* type : {"", "Progress", "a b", "9a", "a\n"}) {
    EXPECT_THAT(writer.Append(type, "{}"), FailsWith(StatusCode::kInvalidArgument, "BAD_EVENT")) << type;
  }
  const std::string deep = std::string(kMaximumEventDepth + 1, '[') + std::string(kMaximumEventDepth + 1, ']');
  const std::string large = "\"" + std::string(kMaximumEventDataBytes, 'x') + "\"";
  for (const std::string& data :
       {std::string(), std::string("{"), std::string("{}}"), std::string("NaN"), deep, large}) {
    EXPECT_THAT(writer.Append("log", data), FailsWith(StatusCode::kInvalidArgument, "BAD_EVENT"));
  }
  EXPECT_EQ(Content(), "");
  const std::string largest = "\"" + std::string(kMaximumEventDataBytes - 2, 'x') + "\"";
  EXPECT_OK(writer.Append("log", largest));
  EXPECT_OK(writer.Append("log", deep.substr(1, deep.size() - 2)));
  EXPECT_EQ(Numbers(), (std::vector<int64_t>{1, 2}));
}

TEST_F(EventLogTest, CarriesTheOriginOfMergedEvents) {
  EventLogWriter writer = Writer();
  Event event;
  event.type = "progress";
  event.time = "2020-01-01T00:00:00Z";
  event.data = "null";
  event.step = 3;
  event.step_event = 17;
  ASSERT_OK(writer.Append(event));
  event.number = 1;
  EXPECT_EQ(ReadAll(), std::vector<Event>{event});
}

// A limit on file sizes cuts a write short, as a disk that becomes full does.
TEST_F(EventLogTest, GoesOnAfterAHalfWrittenLine) {
  EventLogWriter writer = Writer();
  ASSERT_OK(writer.Append("log", "1"));
  const size_t line = Content().size();
  for (size_t room = 0; room < line; ++room) {
    std::ofstream(path_, std::ios::trunc).close();
    EventLogWriter again = Writer();
    ASSERT_OK(again.Append("log", "1"));
    rlimit former{};
    getrlimit(RLIMIT_FSIZE, &former);
    const rlimit small{line + room, former.rlim_max};
    std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto cut = again.Append("log", "2");
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &former), 0);
    std::signal(SIGXFSZ, SIG_DFL);
    EXPECT_FALSE(cut.ok()) << room;
    ASSERT_OK(again.Append("log", "3"));
    const std::vector<Event> events = ReadAll();
    EXPECT_EQ(events.front().data, "1");
    EXPECT_EQ(events.back().data, "3");
    EXPECT_EQ(events.back().number, again.last_number());
  }
}

TEST_F(EventLogTest, ReportsAFullDisk) {
  EXPECT_FALSE(EventLogWriter::Open("/dev/full/none", clock_).ok());
  EventLogWriter full = EventLogWriter::Open("/dev/full", clock_).value();
  EXPECT_THAT(full.Append("log", "1"), FailsWith(StatusCode::kResourceExhausted, "DISK_FULL"));
  EXPECT_EQ(full.last_number(), 0);
}

}  // namespace
}  // namespace modelpatch::sched
