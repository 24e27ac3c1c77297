#include "server/http/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <memory>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

TEST(HttpServerTest, AnswersMetricsHealthAndReadiness) {
  std::atomic<bool> ready = false;
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<HttpServer> server,
      HttpServer::Start({"127.0.0.1", 0}, {[] { return "modelpatch_x 1\n"; }, [&] { return ready.load(); }}));
  httplib::Client client("http://" + server->address());
  const auto metrics = client.Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->status, 200);
  EXPECT_EQ(metrics->body, "modelpatch_x 1\n");
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/no-such-page")->status, 404);
}

TEST(HttpServerTest, AnAddressCannotBeTakenTwice) {
  const HttpServer::Handlers handlers = {[] { return ""; }, [] { return true; }};
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<HttpServer> first, HttpServer::Start({"127.0.0.1", 0}, handlers));
  ASSERT_OK_AND_ASSIGN(const Address taken, ParseAddress(first->address()));
  EXPECT_THAT(HttpServer::Start(taken, handlers), testing::FailsWith(absl::StatusCode::kUnavailable, "ADDRESS_IN_USE"));
}

TEST(HttpServerTest, CanBeStoppedAtOnce) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(HttpServer::Start({"127.0.0.1", 0}, {[] { return ""; }, [] { return true; }}).status());
  }
}

}  // namespace
}  // namespace modelpatch::server
