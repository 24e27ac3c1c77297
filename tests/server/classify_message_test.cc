#include "server/services/classify_message.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::FailsWith;

// The bytes in slices of at most `piece`, as they come from a connection.
grpc::ByteBuffer InSlices(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < bytes.size(); begin += piece) slices.emplace_back(bytes.substr(begin, piece));
  if (slices.empty()) slices.emplace_back(std::string());
  return {slices.data(), slices.size()};
}

v1::ClassifyRequest Request() {
  v1::ClassifyRequest request;
  request.mutable_mixture()->set_model("models/m");
  auto* term = request.mutable_mixture()->add_terms();
  term->set_checkpoint("checkpoints/c");
  term->set_coefficient(0.25);
  for (int i = 0; i < 300; ++i) {
    request.mutable_class_prompts()->mutable_names()->add_class_names(fmt::format("thing {}", i));
  }
  request.mutable_class_prompts()->mutable_names()->add_templates("a {c}");
  for (int i = 0; i < 3; ++i) request.add_images()->set_encoded(std::string(1000, static_cast<char>(i)));
  request.set_top_k(5);
  request.set_alpha_policy(v1::SERVING_ALPHA_POLICY_AUTO);
  return request;
}

// The whole request again; nullopt if the class prompts cannot be parsed.
std::optional<v1::ClassifyRequest> Whole(const ClassifyMessage& message) {
  v1::ClassifyRequest whole = message.request;
  EXPECT_FALSE(whole.has_class_prompts());
  if (message.class_prompts.empty()) return whole;
  if (!whole.mutable_class_prompts()->ParseFromString(message.class_prompts)) return std::nullopt;
  return whole;
}

void ExpectWhole(const std::string& bytes, const v1::ClassifyRequest& expected) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, size_t{4096}, bytes.size() + 1}) {
    const auto message = ParseClassify(InSlices(bytes, piece));
    ASSERT_TRUE(message.ok()) << message.status();
    const auto whole = Whole(*message);
    ASSERT_TRUE(whole.has_value());
    EXPECT_TRUE(MessageDifferencer::Equals(*whole, expected)) << "in slices of " << piece;
  }
}

TEST(ClassifyMessageTest, NothingIsLost) {
  const v1::ClassifyRequest request = Request();
  ExpectWhole(request.SerializeAsString(), request);
  ASSERT_OK_AND_ASSIGN(const ClassifyMessage message, ParseClassify(InSlices(request.SerializeAsString(), 64)));
  EXPECT_EQ(message.class_prompts, request.class_prompts().SerializeAsString());
}

TEST(ClassifyMessageTest, TheClassPromptsMayLieAnywhereOrNowhere) {
  v1::ClassifyRequest rest = Request();
  v1::ClassifyRequest prompts;
  prompts.mutable_class_prompts()->Swap(rest.mutable_class_prompts());
  rest.clear_class_prompts();
  const v1::ClassifyRequest whole = Request();
  ExpectWhole(prompts.SerializeAsString() + rest.SerializeAsString(), whole);
  ExpectWhole(rest.SerializeAsString() + prompts.SerializeAsString(), whole);
  ExpectWhole(rest.SerializeAsString(), rest);
  ExpectWhole("", {});
  // What is set twice is merged, with the last of what can be there once.
  v1::ClassifyRequest later;
  later.set_top_k(9);
  v1::ClassifyRequest changed = whole;
  changed.set_top_k(9);
  ExpectWhole(whole.SerializeAsString() + later.SerializeAsString(), changed);
}

TEST(ClassifyMessageTest, ClassPromptsInPartsAreOneList) {
  v1::ClassifyRequest part;
  part.mutable_class_prompts()->mutable_names()->add_class_names("one more");
  v1::ClassifyRequest expected = Request();
  expected.mutable_class_prompts()->mutable_names()->add_class_names("one more");
  ExpectWhole(Request().SerializeAsString() + part.SerializeAsString(), expected);
  // The last form counts.
  v1::ClassifyRequest other;
  auto* one = other.mutable_class_prompts()->mutable_prompted()->add_classes();
  one->set_name("cat");
  v1::ClassifyRequest replaced = Request();
  *replaced.mutable_class_prompts() = other.class_prompts();
  ExpectWhole(Request().SerializeAsString() + other.SerializeAsString(), replaced);
}

TEST(ClassifyMessageTest, WhatIsCutOffIsRefusedOrWasEnough) {
  const std::string bytes = Request().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    v1::ClassifyRequest reference;
    const bool is_message = reference.ParseFromString(bytes.substr(0, size));
    const auto message = ParseClassify(InSlices(bytes.substr(0, size), 97));
    EXPECT_EQ(message.ok(), is_message) << size;
    if (message.ok()) continue;
    EXPECT_THAT(message, FailsWith(absl::StatusCode::kInvalidArgument, "MALFORMED_REQUEST"));
  }
}

TEST(ClassifyMessageTest, DamagedBytesAreWhatProtobufSaysTheyAre) {
  v1::ClassifyRequest small = Request();
  small.mutable_class_prompts()->mutable_names()->mutable_class_names()->DeleteSubrange(2, 298);
  for (auto& image : *small.mutable_images()) image.set_encoded("image");
  const std::string original = small.SerializeAsString();
  std::mt19937 random(1);
  int parsed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = original;
    for (uint32_t i = 0; i <= random() % 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.insert(random() % bytes.size(), bytes.substr(random() % bytes.size(), random() % 20));
    v1::ClassifyRequest reference;
    const bool is_message = reference.ParseFromString(bytes);
    const auto message = ParseClassify(InSlices(bytes, 1 + random() % 40));
    const auto whole = message.ok() ? Whole(*message) : std::nullopt;
    ASSERT_EQ(whole.has_value(), is_message) << round;
    if (!is_message) continue;
    ++parsed;
    // Class prompts of nothing are no class prompts.
    if (reference.class_prompts().ByteSizeLong() == 0) reference.clear_class_prompts();
    ASSERT_EQ(whole->SerializeAsString(), reference.SerializeAsString()) << round;
  }
  EXPECT_GT(parsed, 1000);
}

}  // namespace
}  // namespace modelpatch::server
