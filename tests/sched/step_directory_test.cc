#include "core/sched/step_directory.h"

#include <filesystem>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::sched {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::WriteTestFile;

class StepDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(PrepareStepDirectory(path_, "spec")); }

  std::string MessageOfOutcome() { return std::string(ReadStepOutcome(path_).status().message()); }

  const testing::ScratchDirectory scratch_;
  const std::string path_ = StepDirectory(JobDirectory(scratch_.path(), "job"), 0, "fine-tune");
};

TEST_F(StepDirectoryTest, IsWhereTheFormatSays) {
  EXPECT_EQ(path_, scratch_.Path("job/0-fine-tune"));
  EXPECT_EQ(ReadStepSpec(path_).value(), "spec");
}

TEST_F(StepDirectoryTest, GivesTheResult) {
  ASSERT_OK(WriteStepResult(path_, std::string("\0r", 2)));
  EXPECT_THAT(ReadStepOutcome(path_), FailsWith(StatusCode::kAborted, "WORKER_DIED"));  // not before it has exited
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"exit_code":0})");
  EXPECT_EQ(ReadStepOutcome(path_).value(), std::string("\0r", 2));
}

TEST_F(StepDirectoryTest, GivesTheWorkersOwnError) {
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"exit_code":3})");
  ASSERT_OK(WriteStepError(path_, base::InvalidArgument("NAN_LOSS", "the loss is NaN at step 7")));
  const auto outcome = ReadStepOutcome(path_);
  EXPECT_THAT(outcome, FailsWith(StatusCode::kInvalidArgument, "NAN_LOSS"));
  EXPECT_EQ(outcome.status().message(), "the loss is NaN at step 7");
}

TEST_F(StepDirectoryTest, NamesHowAWorkerDied) {
  EXPECT_THAT(ReadStepOutcome(path_), FailsWith(StatusCode::kAborted, "WORKER_DIED"));
  EXPECT_THAT(MessageOfOutcome(), ::testing::HasSubstr("vanished"));
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"signal":9,"signal_name":"SIGKILL","core_dumped":false})");
  EXPECT_THAT(MessageOfOutcome(),
              ::testing::AllOf(::testing::HasSubstr("signal 9 (SIGKILL)"), ::testing::HasSubstr("memory")));
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"exit_code":3})");
  EXPECT_THAT(MessageOfOutcome(), ::testing::HasSubstr("exit code 3"));
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"exit_code":0})");
  EXPECT_THAT(MessageOfOutcome(), ::testing::HasSubstr("without a result"));
  WriteTestFile(path_ + "/exit.json", "{ torn");
  EXPECT_THAT(MessageOfOutcome(), ::testing::HasSubstr("vanished"));
  WriteTestFile(path_ + "/exit.json", R"({"version":1,"exit_code":3})");
  WriteTestFile(path_ + "/error.json", R"({"code":[],"reason":7})");
  EXPECT_THAT(ReadStepOutcome(path_), FailsWith(StatusCode::kInternal, "WORKER_FAILED"));
}

TEST_F(StepDirectoryTest, EndsTheMessageWithTheEndOfTheLog) {
  std::string log;
  for (int i = 0; i < 100; ++i) log += "line " + std::to_string(i) + "\n";
  WriteTestFile(LogPath(path_), log);
  EXPECT_THAT(MessageOfOutcome(), ::testing::EndsWith("\nline 98\nline 99"));
  EXPECT_THAT(MessageOfOutcome(), ::testing::Not(::testing::HasSubstr("line 79\n")));
  EXPECT_THAT(MessageOfOutcome(), ::testing::HasSubstr("line 80\n"));
}

TEST_F(StepDirectoryTest, ReadsAnyLog) {
  EXPECT_EQ(ReadLogTail(path_, 5), "");
  WriteTestFile(LogPath(path_), "");
  EXPECT_EQ(ReadLogTail(path_, 5), "");
  WriteTestFile(LogPath(path_), "one\n\xfftwo\r\n");
  EXPECT_EQ(ReadLogTail(path_, 5), "one\n?two");
  EXPECT_EQ(ReadLogTail(path_, 1), "?two");
  WriteTestFile(LogPath(path_), std::string(1 << 20, 'x'));
  EXPECT_EQ(ReadLogTail(path_, 5).size(), size_t{16} << 10);
}

TEST_F(StepDirectoryTest, AnotherAttemptStartsClean) {
  for (const char* name : {"result.json", "error.json", "exit.json", "alive.lock", "pid", "cancel", "lease.json"}) {
    WriteTestFile(path_ + "/" + name, "old");
  }
  for (const char* name : {"log.txt", "events.jsonl", "training-state.bin"}) WriteTestFile(path_ + "/" + name, "kept");
  ASSERT_OK(PrepareStepDirectory(path_, "second"));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 4);
  EXPECT_EQ(ReadStepSpec(path_).value(), "second");
  EXPECT_FALSE(WasStarted(path_));
}

TEST_F(StepDirectoryTest, CarriesTheLease) {
  ASSERT_OK(WriteStepLease(path_, {"cuda:1", int64_t{1} << 40, 4}));
  ASSERT_OK_AND_ASSIGN(const StepLease lease, ReadStepLease(path_));
  EXPECT_EQ(lease.device, "cuda:1");
  EXPECT_EQ(lease.bytes, int64_t{1} << 40);
  EXPECT_EQ(lease.threads, 4);
  for (const char* bad :
       {"", "[]", "{}", R"({"device":"cpu","bytes":-1,"threads":1})", R"({"device":1,"bytes":1,"threads":1})",
        R"({"device":"cpu","bytes":1,"threads":99999999999})"}) {
    WriteTestFile(path_ + "/lease.json", bad);
    EXPECT_THAT(ReadStepLease(path_), FailsWith(StatusCode::kInvalidArgument, "BAD_LEASE")) << bad;
  }
}

TEST_F(StepDirectoryTest, CarriesTheWishToStop) {
  EXPECT_FALSE(IsCancelRequested(path_));
  ASSERT_OK(RequestCancel(path_));
  ASSERT_OK(RequestCancel(path_));
  EXPECT_TRUE(IsCancelRequested(path_));
  EXPECT_FALSE(IsLockHeld(path_));
}

}  // namespace
}  // namespace modelpatch::sched
