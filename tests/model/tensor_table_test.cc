#include "core/model/tensor_table.h"

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

TensorTable TableOf(const std::vector<std::string>& names) {
  tensor::SafetensorsHeader header;
  for (const std::string& name : names) header.tensors.push_back({name, tensor::DType::kFloat32, {1}, 0, 4});
  TensorTable table;
  EXPECT_OK(table.Add(header));
  return table;
}

TEST(TensorTableTest, WrappersGoWhereAllNamesHaveThem) {
  TensorTable wrapped = TableOf({"module.model.visual.proj", "module.model.logit_scale"});
  wrapped.StripWrappers();
  EXPECT_NE(wrapped.Find("visual.proj"), nullptr);
  EXPECT_NE(wrapped.Find("logit_scale"), nullptr);
  EXPECT_EQ(wrapped.tensors().size(), 2u);
  EXPECT_EQ(wrapped.Find("logit_scale")->info.name, "logit_scale");
}

TEST(TensorTableTest, ANameWithoutTheWrapperKeepsAll) {
  TensorTable table = TableOf({"module.a", "b"});
  table.StripWrappers();
  EXPECT_NE(table.Find("module.a"), nullptr);
  TensorTable().StripWrappers();
}

TEST(TensorTableTest, ATensorOfTwoFilesIsRefusedByName) {
  TensorTable table = TableOf({"a"});
  tensor::SafetensorsHeader header;
  header.tensors.push_back({"a", tensor::DType::kFloat32, {1}, 0, 4});
  EXPECT_THAT(table.Add(header), testing::FailsWith(absl::StatusCode::kInvalidArgument, "MODEL_TENSOR_DUPLICATE"));
}

}  // namespace
}  // namespace modelpatch::model
