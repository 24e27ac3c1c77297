#include "server/open_inference/infer_response.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace modelpatch::server {
namespace {

using ::inference::ModelInferResponse;
using serve::ClassScore;

const std::vector<std::string>& Names() {
  static const std::vector<std::string> names = {"cat", "dog", "a:b"};
  return names;
}

// Best first, as the engine has them.
std::vector<std::vector<ClassScore>> Scores() {
  return {{{1, 0.5, 2, 0.25}, {0, 0.375, 1, 0.125}, {2, 0.125, 0, 0}},
          {{2, 0.75, 4, 0.5}, {1, 0.25, 3, 0.375}, {0, 0, -1, -0.125}}};
}

InferRequest RequestFor(std::vector<RequestedOutput> outputs, int64_t top_k = 0) {
  InferRequest request;
  request.outputs = std::move(outputs);
  request.top_k = top_k;
  request.images.Add();
  request.images.Add();
  return request;
}

template <typename Values>
std::vector<std::string> Texts(const Values& values) {
  return {values.begin(), values.end()};
}

TEST(InferResponseTest, ScoresComeInTheOrderOfTheClassNames) {
  ModelInferResponse response;
  FillScores(RequestFor({{kProbabilities}, {kLogits}, {kCosines}, {kClassNames}}), Names(), Scores(), &response);
  ASSERT_EQ(response.outputs_size(), 4);
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  ASSERT_EQ(response.outputs(0).shape_size(), 2);
  EXPECT_EQ(response.outputs(0).shape(0), 2);
  EXPECT_EQ(response.outputs(0).shape(1), 3);
  const auto& probabilities = response.outputs(0).contents().fp32_contents();
  EXPECT_EQ(std::vector<float>(probabilities.begin(), probabilities.end()),
            (std::vector<float>{0.375f, 0.5f, 0.125f, 0, 0.25f, 0.75f}));
  EXPECT_EQ(response.outputs(1).contents().fp32_contents(5), 4);
  EXPECT_EQ(response.outputs(2).contents().fp32_contents(3), -0.125f);
  EXPECT_EQ(Texts(response.outputs(3).contents().bytes_contents()),
            (std::vector<std::string>{"cat", "dog", "a:b", "cat", "dog", "a:b"}));
}

TEST(InferResponseTest, WithTopKTheBestComeFirst) {
  std::vector<std::vector<ClassScore>> best = Scores();
  for (auto& scores : best) scores.resize(2);
  const InferRequest request = RequestFor({{kLogits}, {kClassNames}}, 2);
  EXPECT_EQ(NeededClasses(request), 2);
  ModelInferResponse response;
  FillScores(request, Names(), best, &response);
  EXPECT_EQ(response.outputs(0).shape(1), 2);
  const auto& logits = response.outputs(0).contents().fp32_contents();
  EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), (std::vector<float>{2, 1, 4, 3}));
  EXPECT_EQ(Texts(response.outputs(1).contents().bytes_contents()),
            (std::vector<std::string>{"dog", "cat", "a:b", "dog"}));
}

TEST(InferResponseTest, ClassificationSaysScoreIndexAndLabel) {
  const InferRequest request = RequestFor({{kProbabilities, 2}, {kLogits, 9}});
  EXPECT_EQ(NeededClasses(request), 9);
  ModelInferResponse response;
  FillScores(request, Names(), Scores(), &response);
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_EQ(response.outputs(0).shape(1), 2);
  EXPECT_EQ(Texts(response.outputs(0).contents().bytes_contents()),
            (std::vector<std::string>{"0.5:1:dog", "0.375:0:cat", "0.75:2:a:b", "0.25:1:dog"}));
  EXPECT_EQ(response.outputs(1).shape(1), 3);
  EXPECT_EQ(response.outputs(1).contents().bytes_contents(3), "4:2:a:b");
  EXPECT_EQ(NeededClasses(RequestFor({{kProbabilities, 2}, {kLogits}})), 0);
}

TEST(InferResponseTest, RawContentsAreLittleEndianWithLengthsBeforeTexts) {
  InferRequest request = RequestFor({{kCosines}, {kProbabilities, 1}});
  request.is_raw = true;
  ModelInferResponse response;
  FillScores(request, Names(), Scores(), &response);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_FALSE(response.outputs(0).has_contents());
  ASSERT_EQ(response.raw_output_contents(0).size(), 24u);
  float second = 0;
  std::memcpy(&second, response.raw_output_contents(0).data() + 4, sizeof second);
  EXPECT_EQ(second, 0.25f);
  EXPECT_EQ(response.raw_output_contents(1), std::string("\x09\0\0\0"
                                                         "0.5:1:dog"
                                                         "\x0a\0\0\0"
                                                         "0.75:2:a:b",
                                                         27));
}

TEST(InferResponseTest, FeaturesAreRows) {
  ModelInferResponse response;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  FillFeatures(RequestFor({{kImageFeatures}}), 3, values, &response);
  EXPECT_EQ(response.outputs(0).name(), kImageFeatures);
  EXPECT_EQ(response.outputs(0).shape(0), 2);
  EXPECT_EQ(response.outputs(0).shape(1), 3);
  EXPECT_EQ(response.outputs(0).contents().fp32_contents_size(), 6);
}

TEST(InferResponseTest, TheBoundOfBytesHolds) {
  for (const int64_t top_k : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{100}}) {
    const InferRequest request = RequestFor({{kProbabilities}, {kLogits, 2}, {kClassNames}}, top_k);
    std::vector<std::vector<ClassScore>> scores = Scores();
    if (top_k > 0 && top_k < 3) {
      for (auto& one : scores) one.resize(static_cast<size_t>(top_k));
    }
    ModelInferResponse response;
    FillScores(request, Names(), scores, &response);
    int64_t bytes = 0;
    for (const auto& output : response.outputs()) bytes += static_cast<int64_t>(output.contents().ByteSizeLong());
    EXPECT_LE(bytes, ResponseBytes(request, Names())) << top_k;
  }
}

}  // namespace
}  // namespace modelpatch::server
