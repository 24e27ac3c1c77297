#include "server/services/listing.h"

#include <gtest/gtest.h>

#include "modelpatch/v1/model_service.pb.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

v1::ImportModelRequest RequestFor(const std::string& path, const std::string& request_id) {
  v1::ImportModelRequest request;
  request.set_model_id("m");
  request.set_path(path);
  request.set_request_id(request_id);
  return request;
}

RequestKey KeyOf(const v1::ImportModelRequest& request) { return MakeRequestKey(request, request.request_id()); }

store::ModelRecord RecordMadeBy(const v1::ImportModelRequest& request) {
  v1::Model message;
  message.set_source_path(request.path());
  return {"m", "digest", ToRecordJson(message, KeyOf(request)), {}};
}

absl::Status Answer(const absl::StatusOr<store::ModelRecord>& existing, const v1::ImportModelRequest& request,
                    v1::Model* response) {
  return AnswerRepeated(kModels, existing, KeyOf(request), response).value_or(base::NotFound("NOT_THERE", ""));
}

TEST(AnswerRepeatedTest, TheSameRequestGetsWhatItMade) {
  const v1::ImportModelRequest request = RequestFor("a", "r");
  v1::Model model;
  ASSERT_OK(Answer(RecordMadeBy(request), request, &model));
  EXPECT_EQ(model.name(), "models/m");
  EXPECT_EQ(model.source_path(), "a");
}

TEST(AnswerRepeatedTest, ARequestIdIsForOneRequest) {
  v1::Model model;
  const absl::Status reused = Answer(RecordMadeBy(RequestFor("a", "r")), RequestFor("b", "r"), &model);
  EXPECT_THAT(reused, FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  EXPECT_EQ(base::FieldOf(reused), "request_id");
}

TEST(AnswerRepeatedTest, AnotherRequestIsNoRepetition) {
  v1::Model model;
  const store::ModelRecord record = RecordMadeBy(RequestFor("a", "r"));
  for (const char* request_id : {"another", ""}) {
    EXPECT_THAT(Answer(record, RequestFor("a", request_id), &model),
                FailsWith(StatusCode::kAlreadyExists, "RESOURCE_ALREADY_EXISTS"));
  }
  const v1::ImportModelRequest anonymous = RequestFor("a", "");
  EXPECT_THAT(Answer(RecordMadeBy(anonymous), anonymous, &model),
              FailsWith(StatusCode::kAlreadyExists, "RESOURCE_ALREADY_EXISTS"));
}

TEST(AnswerRepeatedTest, ARecordWithoutADigestBelongsToItsRequestId) {
  const store::ModelRecord record{"m", "digest", R"({"createRequestId":"r"})", {}};
  v1::Model model;
  EXPECT_OK(Answer(record, RequestFor("a", "r"), &model));
}

TEST(AnswerRepeatedTest, WhatIsNotThereIsToBeMade) {
  v1::Model model;
  const absl::StatusOr<store::ModelRecord> nothing = base::NotFound("MODEL_NOT_FOUND", "");
  EXPECT_EQ(AnswerRepeated(kModels, nothing, KeyOf(RequestFor("a", "r")), &model), std::nullopt);
}

}  // namespace
}  // namespace modelpatch::server
