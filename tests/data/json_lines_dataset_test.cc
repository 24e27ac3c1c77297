#include "core/data/json_lines_dataset.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "core/data/prompt_templates.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class JsonLinesDatasetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("imgs/1.ppm", "P6 1 1 255\nabc");
    Write("imgs/2.ppm", "P6 1 1 255\nxyz");
  }
  std::string Write(const std::string& name, const std::string& bytes) {
    testing::WriteTestFile(directory_.Path("data/" + name), bytes);
    return directory_.Path("data/" + name);
  }
  static std::string Line(const std::string& image, const std::string& candidates, int answer) {
    return fmt::format("{{\"image\": \"{}\", \"candidates\": {}, \"answer\": {}}}\n", image, candidates, answer);
  }
  absl::StatusOr<OpenedDataset> Open(const std::string& lines, const std::string& shown_as = "") {
    return OpenJsonLinesDataset(Write("x.jsonl", lines), table_, {}, shown_as);
  }
  void ExpectRefused(const std::string& lines, absl::StatusCode code, const std::string& reason) {
    const auto opened = Open(lines);
    EXPECT_THAT(opened, FailsWith(code, reason));
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(directory_.Path("data/x.jsonl")));
  }

  testing::ScratchDirectory directory_;
  CandidateTable table_;
};

TEST_F(JsonLinesDatasetTest, ExamplesHaveTheirOwnCandidates) {
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened,
                       Open(Line("imgs/2.ppm", R"(["a dog", "a cat"])", 0) + Line("imgs/1.ppm", R"(["a cow"])", 0) +
                            Line("imgs/2.ppm", R"(["a cow", "a dog", "an ox"])", 2)));
  const Dataset& dataset = *opened.dataset;
  EXPECT_TRUE(opened.class_names.empty());
  EXPECT_THAT(table_.texts(), ElementsAre("a dog", "a cat", "a cow", "an ox"));
  EXPECT_THAT(LabelsOf(dataset), ElementsAre(0, 2, 3));
  EXPECT_THAT(dataset.candidates(0), ElementsAre(0, 1));
  EXPECT_THAT(dataset.candidates(1), ElementsAre(2));
  EXPECT_THAT(dataset.candidates(2), ElementsAre(0, 2, 3));
  EXPECT_EQ(dataset.image(0)->pixels[0], 'x');
  EXPECT_EQ(dataset.image(1)->pixels[0], 'a');
  EXPECT_EQ(dataset.image(2)->pixels[0], 'x');
  // The next file goes on with the same numbers.
  ASSERT_OK_AND_ASSIGN(const OpenedDataset next, Open(Line("imgs/1.ppm", R"(["a goat", "a cat"])", 0)));
  EXPECT_THAT(next.dataset->candidates(0), ElementsAre(1, 4));
  EXPECT_EQ(next.dataset->label(0), 4);
}

TEST_F(JsonLinesDatasetTest, TheDigestCoversImagesCandidatesAndAnswers) {
  const auto digest_of = [this](const std::string& lines) {
    CandidateTable table;
    const auto opened = OpenJsonLinesDataset(Write("x.jsonl", lines), table, {});
    EXPECT_OK(opened);
    return opened.ok() ? opened->digest : "";
  };
  const std::string first = Line("imgs/1.ppm", R"(["a", "b"])", 0);
  const std::string digest = digest_of(first);
  std::set<std::string> digests = {digest};
  digests.insert(digest_of(Line("imgs/2.ppm", R"(["a", "b"])", 0)));
  digests.insert(digest_of(Line("imgs/1.ppm", R"(["a", "b"])", 1)));
  digests.insert(digest_of(Line("imgs/1.ppm", R"(["a", "b", "c"])", 0)));
  digests.insert(digest_of(first + first));
  EXPECT_EQ(digests.size(), 5u);
  Write("other.ppm", "P6 1 1 255\nabc");
  EXPECT_EQ(digest_of(std::string(1, '\n') + Line("./other.ppm", R"([ "a","b" ])", 0)), digest)
      << "names and spaces do not matter";
  Write("other.ppm", "P6 1 1 255\nabd");
  EXPECT_NE(digest_of(Line("other.ppm", R"(["a", "b"])", 0)), digest);
}

TEST_F(JsonLinesDatasetTest, RefusesWhatCannotBeRead) {
  const std::string good = Line("imgs/1.ppm", R"(["a", "b"])", 0);
  ExpectRefused("", kInvalid, "DATASET_EMPTY");
  ExpectRefused("\n \n", kInvalid, "DATASET_EMPTY");
  ExpectRefused(good + Line("imgs/3.ppm", R"(["a"])", 0), absl::StatusCode::kNotFound, "FILE_NOT_FOUND");
  ExpectRefused(good + Line("imgs", R"(["a"])", 0), kInvalid, "NOT_A_REGULAR_FILE");
  ExpectRefused(good + "bad", kInvalid, "BAD_JSON_LINE");
  Write("empty.ppm", "");
  ExpectRefused(Line("empty.ppm", R"(["a"])", 0), kInvalid, "IMAGE_EMPTY");
  testing::WriteTestFile(directory_.Path("outside.ppm"), "P6 1 1 255\nabc");
  std::filesystem::create_symlink(directory_.Path("outside.ppm"), directory_.Path("data/link.ppm"));
  ExpectRefused(Line("link.ppm", R"(["a"])", 0), absl::StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOT");
  EXPECT_THAT(OpenJsonLinesDataset(directory_.Path("data"), table_, {}), FailsWith(kInvalid, "NOT_A_REGULAR_FILE"));
}

TEST_F(JsonLinesDatasetTest, AllSplitsTogetherHaveAtMostAsManyClassesAsATask) {
  for (size_t i = 0; i + 1 < kMaximumClasses; ++i) ASSERT_OK(table_.ClassOf(fmt::format("class {}", i)));
  EXPECT_OK(Open(Line("imgs/1.ppm", R"(["the last", "class 0"])", 0)));
  ExpectRefused(Line("imgs/1.ppm", R"(["the last", "one more"])", 0), kInvalid, "TOO_MANY_CLASSES");
}

TEST_F(JsonLinesDatasetTest, ImagesThatCannotBeDecodedAreNamedWithTheirLine) {
  Write("bad.ppm", "P6 nonsense");
  ASSERT_OK_AND_ASSIGN(
      const OpenedDataset opened,
      Open(std::string(1, '\n') + Line("bad.ppm", R"(["a"])", 0) + Line("imgs/1.ppm", R"(["a"])", 0), "shown"));
  const auto bad = opened.dataset->image(0);
  EXPECT_EQ(bad.status().code(), kInvalid);
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("shown: line 2: bad.ppm"));
  std::filesystem::remove(directory_.Path("data/imgs/1.ppm"));
  EXPECT_EQ(opened.dataset->image(1).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace modelpatch::data
