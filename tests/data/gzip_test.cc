#include "core/data/gzip.h"

#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::Gzip;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Noise(size_t size) {
  std::string bytes;
  uint32_t state = 1;
  while (bytes.size() < size) bytes += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Gzip, GivesBackWhatWasPacked) {
  for (const std::string& content : {std::string(), std::string("a"), std::string(300'000, 'x'), Noise(300'000)}) {
    ASSERT_OK_AND_ASSIGN(const Gunzipped unpacked, Gunzip(Gzip(content), 1 << 20));
    EXPECT_TRUE(unpacked.complete);
    EXPECT_TRUE(unpacked.content == content);
  }
}

TEST(Gzip, ReadsMembersInARowAndZeroPadding) {
  ASSERT_OK_AND_ASSIGN(const Gunzipped unpacked,
                       Gunzip(Gzip("ab") + Gzip("") + Gzip("cd") + std::string(5, '\0'), 100));
  EXPECT_EQ(unpacked.content, "abcd");
}

TEST(Gzip, StopsAtTheMaximum) {
  const std::string bomb = Gzip(std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 100'000u);
  ASSERT_OK_AND_ASSIGN(const Gunzipped cut, Gunzip(bomb, 1000));
  EXPECT_FALSE(cut.complete);
  EXPECT_EQ(cut.content.size(), 1000u);
  ASSERT_OK_AND_ASSIGN(const Gunzipped exact, Gunzip(Gzip(std::string(1000, 'y')), 1000));
  EXPECT_TRUE(exact.complete);
  EXPECT_EQ(exact.content.size(), 1000u);
}

TEST(Gzip, RefusesEveryCut) {
  const std::string packed = Gzip(Noise(500));
  for (size_t size = 2; size < packed.size(); ++size) {
    EXPECT_THAT(Gunzip(packed.substr(0, size), 1000), FailsWith(kInvalid, "GZIP_TRUNCATED")) << size;
  }
}

TEST(Gzip, RefusesDamageAndTrailingBytes) {
  std::string damaged = Gzip(Noise(500));
  damaged[200] = static_cast<char>(damaged[200] ^ 0x10);
  EXPECT_THAT(Gunzip(damaged, 1000), FailsWith(kInvalid, "GZIP_CORRUPT"));
  EXPECT_THAT(Gunzip(Gzip("ab") + "trailing", 1000), FailsWith(kInvalid, "GZIP_CORRUPT"));
  EXPECT_THAT(Gunzip("\x1f\x8b nonsense that is no header", 1000), FailsWith(kInvalid, "GZIP_CORRUPT"));
}

TEST(Gzip, ReadsFilesRawOrPacked) {
  testing::ScratchDirectory directory;
  testing::WriteTestFile(directory.Path("raw"), "content");
  testing::WriteTestFile(directory.Path("packed"), Gzip("content"));
  for (const char* name : {"raw", "packed"}) {
    ASSERT_OK_AND_ASSIGN(const Gunzipped whole, ReadMaybeGzip(directory.Path(name), 7));
    EXPECT_EQ(whole.content, "content");
    EXPECT_TRUE(whole.complete);
    ASSERT_OK_AND_ASSIGN(const Gunzipped part, ReadMaybeGzip(directory.Path(name), 3));
    EXPECT_EQ(part.content, "con");
    EXPECT_FALSE(part.complete);
  }
  EXPECT_EQ(ReadMaybeGzip(directory.Path("absent"), 7).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace modelpatch::data
