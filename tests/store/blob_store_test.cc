#include "core/store/blob_store.h"

#include <torch/torch.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::store {
namespace {

using ::modelpatch::testing::FailsWith;

class BlobStoreTest : public ::testing::Test {
 protected:
  tensor::WeightSet Weights(float value) const {
    const tensor::WeightSet weights(layout_, tensor::Device());
    for (at::Tensor view : weights.views()) view.fill_(value);
    return weights;
  }
  std::ptrdiff_t FileCount() const {
    const std::filesystem::directory_iterator files(scratch_.path());
    return std::distance(begin(files), end(files));
  }

  const testing::ScratchDirectory scratch_;
  const std::shared_ptr<const tensor::WeightLayout> layout_ = *tensor::WeightLayout::Make({{"a", {1000}}, {"b", {7}}});
  const BlobStore store_{scratch_.path()};
};

TEST_F(BlobStoreTest, TheSameWeightsAreStoredOnce) {
  ASSERT_OK_AND_ASSIGN(const std::string first, store_.Put(Weights(1), {}));
  ASSERT_OK_AND_ASSIGN(const std::string second, store_.Put(Weights(1), {{"seed", "other"}}));
  ASSERT_OK_AND_ASSIGN(const std::string other, store_.Put(Weights(2), {}));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
  EXPECT_EQ(FileCount(), 2);
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet read, store_.Get(first, layout_));
  EXPECT_TRUE(read.flat().equal(Weights(1).flat()));
}

TEST_F(BlobStoreTest, EveryDamagedByteIsFound) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_.Put(Weights(1), {}));
  const std::string path = scratch_.Path(digest + ".safetensors");
  const auto size = std::filesystem::file_size(path);
  for (const uintmax_t position : {uintmax_t{2}, uintmax_t{20}, size - 1000, size - 1}) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(position));
    const char original = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(position));
    file.put(static_cast<char>(original ^ 0x40));
    file.flush();
    EXPECT_EQ(store_.Get(digest, layout_).status().code(), absl::StatusCode::kDataLoss) << position;
    file.seekp(static_cast<std::streamoff>(position));
    file.put(original);
  }
  EXPECT_OK(store_.Get(digest, layout_));
}

TEST_F(BlobStoreTest, UnknownAndDeletedBlobsAreNotFound) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_.Put(Weights(1), {}));
  ASSERT_OK(store_.Delete(digest));
  EXPECT_THAT(store_.Get(digest, layout_), FailsWith(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND"));
}

}  // namespace
}  // namespace modelpatch::store
