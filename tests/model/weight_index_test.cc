#include "core/model/weight_index.h"

#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

tensor::SafetensorsHeader HeaderOf(const std::vector<std::string>& names) {
  tensor::SafetensorsHeader header;
  for (const std::string& name : names) header.tensors.push_back({name, tensor::DType::kFloat32, {}});
  return header;
}

TEST(WeightIndexTest, ReadsTheFileOfEachTensor) {
  ASSERT_OK_AND_ASSIGN(const WeightIndex index, ParseWeightIndex(R"({"metadata":{"total_size":8},
      "weight_map":{"b":"part-2.safetensors","a":"part-1.safetensors","c":"part-1.safetensors"}})"));
  EXPECT_EQ(index,
            (WeightIndex{{"a", "part-1.safetensors"}, {"b", "part-2.safetensors"}, {"c", "part-1.safetensors"}}));
}

TEST(WeightIndexTest, RefusesATensorTwice) {
  EXPECT_THAT(
      ParseWeightIndex(R"({"weight_map":{"a":"x.safetensors","b":"x.safetensors","a":"y.safetensors"}})").status(),
      FailsWith(kInvalid, "WEIGHT_INDEX_DUPLICATE"));
}

TEST(WeightIndexTest, RefusesFilesThatAreNotBesideIt) {
  for (const char* file : {"../x.safetensors", "a/x.safetensors", "/x.safetensors", ".safetensors", "x.txt", "",
                           "a\\\\x.safetensors", ".x.safetensors", "x\\u0000.safetensors"}) {
    const std::string json = std::string(R"({"weight_map":{"a":")") + file + "\"}}";
    EXPECT_THAT(ParseWeightIndex(json).status(), FailsWith(kInvalid, "WEIGHT_INDEX_INVALID")) << file;
  }
}

TEST(WeightIndexTest, RefusesWhatIsNoIndex) {
  for (const char* json : {"", "[]", "{}", R"({"weight_map":{}})", R"({"weight_map":["a"]})",
                           R"({"weight_map":{"a":7}})", R"({"weight_map":{"a":"x.safetensors"}} more)"}) {
    EXPECT_THAT(ParseWeightIndex(json).status(), FailsWith(kInvalid, "WEIGHT_INDEX_INVALID")) << json;
  }
}

TEST(WeightIndexTest, TheFilesMustHaveWhatTheIndexSays) {
  const testing::ScratchDirectory scratch;
  testing::WriteTestFile(scratch.Path("index"), R"({"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})");
  ModelFileNames names;
  names.index = "index";
  ASSERT_OK_AND_ASSIGN(const WeightFilePlan plan, PlanWeightFiles(scratch.path(), names));
  EXPECT_EQ(plan.files, (std::vector<std::string>{"x.safetensors", "y.safetensors"}));
  TensorTable right;
  ASSERT_OK(right.Add(HeaderOf({"a"})));
  ASSERT_OK(right.Add(HeaderOf({"b"})));
  EXPECT_OK(CheckIndex(plan, right));
  EXPECT_THAT(right.Add(HeaderOf({"a"})), FailsWith(kInvalid, "MODEL_TENSOR_DUPLICATE"));
  TensorTable exchanged;
  ASSERT_OK(exchanged.Add(HeaderOf({"b"})));
  ASSERT_OK(exchanged.Add(HeaderOf({"a"})));
  EXPECT_THAT(CheckIndex(plan, exchanged), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
}

}  // namespace
}  // namespace modelpatch::model
