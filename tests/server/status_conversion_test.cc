#include "server/status_conversion.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/base/status.h"
#include "core/base/text.h"
#include "google/rpc/error_details.pb.h"

namespace modelpatch::server {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    if (Detail detail; any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(StatusConversionTest, OkStaysOkWithoutDetails) {
  const grpc::Status status = ToGrpcStatus(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(status.error_details().empty());
}

TEST(StatusConversionTest, CarriesReasonDomainAndFieldPath) {
  const absl::Status error = base::WithField(
      base::WithField(base::InvalidArgument("IMAGE_TRUNCATED", "the file ends at byte 7"), "encoded"), "images[3]");
  const grpc::Status status = ToGrpcStatus(error);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the file ends at byte 7");
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), "the file ends at byte 7");
  const auto info = DetailOf<google::rpc::ErrorInfo>(details);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason(), "IMAGE_TRUNCATED");
  EXPECT_EQ(info->domain(), "modelpatch");
  const auto bad_request = DetailOf<google::rpc::BadRequest>(details);
  ASSERT_TRUE(bad_request.has_value());
  ASSERT_EQ(bad_request->field_violations_size(), 1);
  EXPECT_EQ(bad_request->field_violations(0).field(), "images[3].encoded");
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(details).has_value());
}

TEST(StatusConversionTest, AFullQueueSaysWhenToTryAgain) {
  const google::rpc::Status full = ToRpcStatus(base::ResourceExhausted("QUEUE_FULL", "4096 images wait"));
  const auto retry = DetailOf<google::rpc::RetryInfo>(full);
  ASSERT_TRUE(retry.has_value());
  EXPECT_GT(retry->retry_delay().seconds(), 0);
  EXPECT_FALSE(
      DetailOf<google::rpc::RetryInfo>(ToRpcStatus(base::ResourceExhausted("DISK_FULL", "no room"))).has_value());
  EXPECT_FALSE(DetailOf<google::rpc::BadRequest>(full).has_value());
}

TEST(StatusConversionTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status error = base::Error(static_cast<absl::StatusCode>(code), "REASON", "message");
    EXPECT_EQ(static_cast<int>(ToGrpcStatus(error).error_code()), code);
    EXPECT_EQ(ToRpcStatus(error).code(), code);
  }
}

TEST(StatusConversionTest, LongAndForeignMessagesBecomeShortValidUtf8) {
  std::string long_message = "x";
  for (int i = 0; i < 5000; ++i) long_message += "α";
  for (const std::string& message : {long_message, std::string("bad \xff byte")}) {
    const google::rpc::Status details = DetailsOf(ToGrpcStatus(base::NotFound("REASON", message)));
    EXPECT_TRUE(base::IsValidUtf8(details.message()));
    EXPECT_LT(details.message().size(), 2000u);
  }
}

}  // namespace
}  // namespace modelpatch::server
