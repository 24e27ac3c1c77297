#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;

TEST(OptionsTest, DefaultsAreThoseOfTheStruct) {
  const CommandLine line = ParseCommandLine({"--data-dir", "/d"});
  ASSERT_TRUE(line.options.has_value()) << line.text;
  EXPECT_EQ(line.options->data_dir, "/d");
  EXPECT_EQ(line.options->grpc_address, "127.0.0.1:8001");
  EXPECT_EQ(line.options->http_address, "127.0.0.1:8000");
  EXPECT_EQ(line.options->maximum_message_bytes, 64 << 20);
  EXPECT_EQ(line.options->log_level, base::Severity::kInfo);
}

TEST(OptionsTest, ReadsEverythingThatIsGiven) {
  const CommandLine line = ParseCommandLine({"--data-dir",
                                             "/d",
                                             "--grpc-address",
                                             "[::1]:0",
                                             "--import-root",
                                             "/a",
                                             "--import-root",
                                             "/b",
                                             "--log-format",
                                             "json",
                                             "--log-level",
                                             "debug",
                                             "--mixture-cache-bytes",
                                             "3MiB",
                                             "--drain-seconds",
                                             "5",
                                             "--ready-file",
                                             "/r",
                                             "--worker-binary",
                                             "/w",
                                             "--threads",
                                             "2"});
  ASSERT_TRUE(line.options.has_value()) << line.text;
  EXPECT_THAT(line.options->import_roots, ElementsAre("/a", "/b"));
  EXPECT_EQ(line.options->log_format, base::LogFormat::kJson);
  EXPECT_EQ(line.options->log_level, base::Severity::kDebug);
  EXPECT_EQ(line.options->mixture_cache_bytes, 3 << 20);
  EXPECT_EQ(line.options->drain_seconds, 5);
  EXPECT_EQ(line.options->ready_file, "/r");
  EXPECT_EQ(line.options->worker_binary, "/w");
  EXPECT_EQ(line.options->threads, 2);
}

TEST(OptionsTest, HelpAndVersionPrintAndSucceed) {
  const CommandLine help = ParseCommandLine({"--help"});
  EXPECT_FALSE(help.options.has_value());
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, HasSubstr("--import-root"));
  const CommandLine version = ParseCommandLine({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.text, HasSubstr("modelpatch-server "));
}

TEST(OptionsTest, MistakesFailAndAreNamed) {
  const struct {
    std::vector<std::string> arguments;
    std::string named;
  } cases[] = {
      {{}, "--data-dir"},
      {{"--data-dir", ""}, "data-dir"},
      {{"--data-dir", "/d", "--no-such-option"}, "--no-such-option"},
      {{"--data-dir", "/d", "--grpc-address", "nonsense"}, "grpc-address"},
      {{"--data-dir", "/d", "--http-address", "host:70000"}, "http-address"},
      {{"--data-dir", "/d", "--threads", "-1"}, "threads"},
      {{"--data-dir", "/d", "--drain-seconds", "-1"}, "drain-seconds"},
      {{"--data-dir", "/d", "--max-batch", "0"}, "max-batch"},
      {{"--data-dir", "/d", "--max-message-bytes", "3GiB"}, "max-message-bytes"},
      {{"--data-dir", "/d", "--log-level", "loud"}, "log-level"},
  };
  for (const auto& one : cases) {
    const CommandLine line = ParseCommandLine(one.arguments);
    EXPECT_FALSE(line.options.has_value()) << one.named;
    EXPECT_NE(line.exit_code, 0) << one.named;
    EXPECT_THAT(line.text, HasSubstr(one.named));
  }
}

TEST(AddressTest, ParsesHostsAndPorts) {
  ASSERT_OK_AND_ASSIGN(const Address four, ParseAddress("127.0.0.1:8001"));
  EXPECT_EQ(four.host, "127.0.0.1");
  EXPECT_EQ(four.port, 8001);
  ASSERT_OK_AND_ASSIGN(const Address six, ParseAddress("[::1]:0"));
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.ToString(), "[::1]:0");
}

TEST(AddressTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "host", ":1", "host:", "host:x", "host:-1", "host:65536", "::1:80", "[]:80", "host:80x"}) {
    EXPECT_THAT(ParseAddress(text), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS")) << text;
  }
}

}  // namespace
}  // namespace modelpatch::server
