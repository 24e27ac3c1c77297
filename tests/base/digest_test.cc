#include "core/base/digest.h"

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::base {
namespace {

// FIPS 180-2, appendix B.1.
constexpr char kAbcDigest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(DigestTest, MatchesThePublishedVector) { EXPECT_EQ(Sha256Hex("abc"), kAbcDigest); }

TEST(DigestTest, PiecesEqualTheWhole) {
  Sha256 digest;
  digest.Update("a");
  digest.Update("bc");
  EXPECT_EQ(digest.Finish(), kAbcDigest);
}

TEST(DigestTest, FileEqualsItsBytes) {
  const testing::ScratchDirectory scratch;
  testing::WriteTestFile(scratch.Path("f"), "abc");
  ASSERT_OK_AND_ASSIGN(const std::string digest, Sha256File(scratch.Path("f")));
  EXPECT_EQ(digest, kAbcDigest);
}

}  // namespace
}  // namespace modelpatch::base
