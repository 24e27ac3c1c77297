#include "client/status_details.h"

#include <gtest/gtest.h>

#include "google/rpc/status.pb.h"
#include "tests/client/fake_server.h"

namespace modelpatch::client {
namespace {

using ::modelpatch::testing::DetailedError;

TEST(StatusDetailsTest, DescribesReasonAndField) {
  const absl::Status status = FromGrpcStatus(
      DetailedError(grpc::StatusCode::INVALID_ARGUMENT, "α is 2; it must lie in [0, 1]", "BAD_ALPHA", "alphas[3]"));
  EXPECT_EQ(ReasonOf(status), "BAD_ALPHA");
  EXPECT_EQ(Describe(status),
            "α is 2; it must lie in [0, 1]\n"
            "  INVALID_ARGUMENT, reason BAD_ALPHA\n"
            "  field alphas[3]");
}

TEST(StatusDetailsTest, DescribesAnErrorWithoutDetails) {
  const absl::Status status = FromGrpcStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "no route"));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(ReasonOf(status), "");
  EXPECT_TRUE(FieldViolationsOf(status).empty());
  EXPECT_EQ(Describe(status), "no route\n  UNAVAILABLE");
}

TEST(StatusDetailsTest, DetailsThatAreGarbageAreIgnored) {
  const absl::Status status = FromGrpcStatus(grpc::Status(grpc::StatusCode::INTERNAL, "bad", "\xff\xff\xff garbage"));
  EXPECT_EQ(Describe(status), "bad\n  INTERNAL");
}

TEST(StatusDetailsTest, OkIsOk) {
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  EXPECT_TRUE(FromRpcStatus(google::rpc::Status()).ok());
}

TEST(StatusDetailsTest, ReadsAStatusInAMessage) {
  google::rpc::Status message;
  ASSERT_TRUE(message.ParseFromString(
      DetailedError(grpc::StatusCode::ABORTED, "killed by signal 9", "WORKER_KILLED", "").error_details()));
  const absl::Status status = FromRpcStatus(message);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(status), "WORKER_KILLED");
}

}  // namespace
}  // namespace modelpatch::client
