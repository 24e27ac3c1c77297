#include "core/store/blob_store.h"

#include <torch/torch.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::store {
namespace {

using namespace std::chrono_literals;
using ::modelpatch::testing::FailsWith;
using ::testing::UnorderedElementsAre;

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

  void SetAge(const std::string& name, std::chrono::minutes age) const {
    std::filesystem::last_write_time(scratch_.Path(name), std::filesystem::file_time_type::clock::now() - age);
  }
  base::WallTime Ago(std::chrono::minutes age) const { return base::SystemClock().Now() - age; }
  absl::StatusOr<std::vector<std::string>> RemoveUnused(const std::set<std::string>& used,
                                                        base::WallTime before) const {
    base::MutexLock lock(store_.mutex());
    return store_.RemoveUnused(used, before);
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

TEST_F(BlobStoreTest, RemovesWhatIsUnusedAndOld) {
  ASSERT_OK_AND_ASSIGN(const std::string used, store_.Put(Weights(1), {}));
  ASSERT_OK_AND_ASSIGN(const std::string unused, store_.Put(Weights(2), {}));
  ASSERT_OK_AND_ASSIGN(const std::string recent, store_.Put(Weights(3), {}));
  const std::string left_over = used + ".safetensors.77.tmp";
  testing::WriteTestFile(scratch_.Path(left_over), "half");
  for (const std::string& name : {used + ".safetensors", unused + ".safetensors", left_over}) SetAge(name, 60min);

  ASSERT_OK_AND_ASSIGN(std::vector<std::string> removed, RemoveUnused({used}, Ago(30min)));
  EXPECT_THAT(removed, UnorderedElementsAre(unused + ".safetensors", left_over));
  EXPECT_THAT(store_.Get(unused, layout_), FailsWith(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND"));
  EXPECT_OK(store_.Get(used, layout_));
  EXPECT_OK(store_.Get(recent, layout_));
  EXPECT_EQ(FileCount(), 2);
}

TEST_F(BlobStoreTest, ABlobThatIsPutAgainIsNew) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_.Put(Weights(1), {}));
  SetAge(digest + ".safetensors", 60min);
  ASSERT_OK(store_.Put(Weights(1), {}));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> removed, RemoveUnused({}, Ago(30min)));
  EXPECT_TRUE(removed.empty());
  EXPECT_OK(store_.Get(digest, layout_));
}

TEST_F(BlobStoreTest, AnUnknownBlobIsNotFound) {
  EXPECT_THAT(store_.Get(std::string(64, '0'), layout_), FailsWith(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND"));
}

}  // namespace
}  // namespace modelpatch::store
