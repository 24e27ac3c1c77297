#include "client/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "client/report/gnuplot.h"
#include "tests/client/report_jobs.h"
#include "tests/support/test_data.h"

namespace modelpatch::client::report {
namespace {

using ::modelpatch::testing::ParallelJob;
using ::modelpatch::testing::ScratchDirectory;
using ::modelpatch::testing::SequentialJob;
using ::modelpatch::testing::SingleJob;
using ::modelpatch::testing::WriteTestFile;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

namespace fs = std::filesystem;

// Nothing in it may be taken for markup, for a command of gnuplot's or of a shell, for the end of a string or of a
// line.
constexpr char kWeird[] =
    "x'\"<script>alert(1)</script>&amp;`touch hacked`@m \\{/Symbol a}_^%\n$(touch hacked) end_of_data";

std::vector<ReportJob> JobsOf(const std::vector<v1::PatchJob>& jobs) {
  auto made = MakeReportJobs(jobs);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : std::vector<ReportJob>();
}

std::string ContentOf(const std::vector<ReportFile>& files, const std::string& name) {
  for (const ReportFile& file : files) {
    if (file.name == name) return file.content;
  }
  ADD_FAILURE() << "no file " << name;
  return "";
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

TEST(ReportTest, HasAPageJsonAndAFileForEachTable) {
  const auto files = MakeReport(JobsOf({SingleJob("a"), SequentialJob("b")}), {});
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> names;
  for (const ReportFile& file : *files) names.push_back(file.name);
  EXPECT_THAT(names, UnorderedElementsAre("report.html", "report.json", "curve.csv", "comparisons.csv", "search.csv",
                                          "final.csv", "classes.csv", "metrics.csv", "jobs.csv"));
  EXPECT_EQ(MakeReport(JobsOf({SingleJob("a"), SequentialJob("b")}), {})->front().content, files->front().content);
}

TEST(ReportTest, PageHasTheNumbersAndHowToRunAgain) {
  const auto files = MakeReport(JobsOf({SingleJob("a")}), {.title = "Digits & <co>"});
  ASSERT_TRUE(files.ok());
  const std::string page = ContentOf(*files, "report.html");
  EXPECT_THAT(page, HasSubstr("<title>Digits &amp; &lt;co&gt;</title>"));
  // The chosen row of the curve, an interval, a measure, the class that gains most, and the line.
  EXPECT_THAT(page, HasSubstr("<tr class=\"marked\"><td class=\"n\">0.6</td>"));
  EXPECT_THAT(page, HasSubstr("82.0% [80.0, 84.0]"));
  EXPECT_THAT(page, HasSubstr("1.25 points"));
  EXPECT_THAT(page, HasSubstr("+40.0"));
  EXPECT_THAT(page, HasSubstr("modelpatch job submit --model tiny --patch-task digits"));
  EXPECT_THAT(page, HasSubstr("snapshot at step 200"));
}

TEST(ReportTest, JsonHoldsJobsAndTables) {
  const auto files = MakeReport(JobsOf({SingleJob("a"), ParallelJob("b", "gradient")}), {});
  ASSERT_TRUE(files.ok());
  const auto json = nlohmann::json::parse(ContentOf(*files, "report.json"));
  EXPECT_EQ(json["jobs"][0]["name"], "patchJobs/a");
  EXPECT_EQ(json["jobs"][1]["spec"]["strategy"], "STRATEGY_PARALLEL");
  EXPECT_EQ(json["tables"]["curve"][0]["job"], "a");
  EXPECT_EQ(json["tables"]["final"][0]["patched"], 0.82);
  EXPECT_EQ(json["tables"]["jobs"][1]["search"], "gradient");
}

TEST(ReportTest, WeirdNamesStayText) {
  v1::PatchJob job = SingleJob("a");
  const auto rename = [](std::string& name) {
    if (name == "tasks/digits") name = kWeird;
  };
  rename(*job.mutable_spec()->mutable_patching_tasks(0));
  for (auto& point : *job.mutable_result()->mutable_points()) rename(*point.mutable_accuracies(0)->mutable_task());
  for (auto& one : *job.mutable_result()->mutable_comparisons()) rename(*one.mutable_accuracies(0)->mutable_task());
  rename(*job.mutable_result()->mutable_final_accuracies(0)->mutable_task());
  job.mutable_result()->mutable_final_accuracies(0)->mutable_classes(0)->set_class_name("a,\"b\"\nc");
  std::vector<ReportJob> jobs(1);
  jobs[0].label = std::string(kWeird) + "\xff";
  jobs[0].job = job;
  ReportOptions options;
  options.title = std::string(kWeird) + "\xff";
  const Gnuplot gnuplot;
  if (gnuplot.Check().ok()) options.gnuplot = &gnuplot;
  const auto files = MakeReport(jobs, options);
  ASSERT_TRUE(files.ok()) << files.status();
  const std::string page = ContentOf(*files, "report.html");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script"));
  EXPECT_FALSE(fs::exists("hacked"));
  EXPECT_THAT(ContentOf(*files, "classes.csv"), HasSubstr(",\"a,\"\"b\"\"\nc\",250,100,200,120,0.4\n"));
}

TEST(ReportTest, FiguresAreOnePageWithoutReferencesOutside) {
  const Gnuplot gnuplot;
  if (!gnuplot.Check().ok()) GTEST_SKIP() << "gnuplot is not installed (Debian: gnuplot-nox)";
  const auto jobs = JobsOf({SingleJob("a"), SingleJob("b"), SequentialJob("s"), ParallelJob("p", "exhaustive"),
                            ParallelJob("q", "gradient")});
  const auto files = MakeReport(jobs, {.gnuplot = &gnuplot});
  ASSERT_TRUE(files.ok()) << files.status();
  const std::string page = ContentOf(*files, "report.html");
  EXPECT_THAT(page, HasSubstr("Trade-off along"));
  EXPECT_THAT(page, HasSubstr("Task after task, s"));
  EXPECT_THAT(page, HasSubstr("What searches find"));
  EXPECT_THAT(page, HasSubstr("Other ways to trade"));
  EXPECT_THAT(page, HasSubstr("Ways to patch, side by side"));
  EXPECT_THAT(page, HasSubstr("id='figure2-gpPt"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<!DOCTYPE svg")));
  // The one address is the name of SVG's namespace.
  for (size_t at = page.find("http"); at != std::string::npos; at = page.find("http", at + 1)) {
    const std::string here = page.substr(at, 40);
    EXPECT_TRUE(here.starts_with("http-equiv") || here.starts_with("http://www.w3.org/")) << here;
  }
}

TEST(ReportJobsTest, JobsThatAreNotFinishedAreRefusedByName) {
  v1::PatchJob job = SingleJob("late");
  job.set_state(v1::PATCH_JOB_STATE_RUNNING);
  const absl::Status status = MakeReportJobs({SingleJob("a"), job}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("patchJobs/late is RUNNING"));
}

TEST(ReportJobsTest, NoneOrOneTwiceIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(MakeReportJobs({}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MakeReportJobs({SingleJob("a"), SingleJob("a")}).status()));
  // Of two servers.
  v1::PatchJob other = SingleJob("a");
  other.mutable_spec()->set_model("models/other");
  const auto jobs = MakeReportJobs({SingleJob("a"), other});
  ASSERT_TRUE(jobs.ok());
  EXPECT_EQ((*jobs)[1].label, "a (2)");
}

TEST(ReportJobsTest, NumbersThatMakeNoSenseAreNamed) {
  v1::PatchJob job = SingleJob("a");
  job.mutable_result()->mutable_points(3)->mutable_accuracies(0)->set_accuracy(NAN);
  EXPECT_THAT(std::string(MakeReportJobs({job}).status().message()),
              HasSubstr("result.points[3].accuracies[0].accuracy is nan"));
  job.mutable_result()->mutable_points(3)->mutable_accuracies(0)->set_accuracy(1.5);
  EXPECT_THAT(std::string(MakeReportJobs({job}).status().message()), HasSubstr("is 1.5"));
  job = SingleJob("a");
  job.mutable_result()->mutable_final_accuracies(0)->mutable_classes(0)->set_total(-1);
  EXPECT_THAT(std::string(MakeReportJobs({job}).status().message()), HasSubstr("classes[0].total is -1"));
  // A loss that diverged is no reason to refuse.
  job = SingleJob("a");
  job.add_steps()->mutable_progress()->set_loss(INFINITY);
  EXPECT_TRUE(MakeReportJobs({job}).ok());
}

TEST(WriteReportTest, MakesTheDirectoryAndReplacesFiles) {
  const ScratchDirectory scratch;
  const std::string directory = scratch.Path("deep/er");
  ASSERT_TRUE(WriteReport({{"a.csv", "one\n"}}, directory).ok());
  ASSERT_TRUE(WriteReport({{"a.csv", "two\n"}}, directory).ok());
  EXPECT_EQ(ReadWhole(directory + "/a.csv"), "two\n");
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST(WriteReportTest, AFileIsNoDirectory) {
  const ScratchDirectory scratch;
  WriteTestFile(scratch.Path("file"), "mine");
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckReportDirectory(scratch.Path("file"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteReport({{"a", "b"}}, scratch.Path("file"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteReport({{"a", "b"}}, scratch.Path("file/below"))));
  EXPECT_EQ(ReadWhole(scratch.Path("file")), "mine");
}

TEST(GnuplotTest, AMissingOneIsNamedWithItsPackage) {
  const absl::Status status = Gnuplot("/nowhere/gnuplot").Check();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("gnuplot-nox"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--no-figures"));
}

TEST(GnuplotTest, SaysWhatItCannotDraw) {
  const Gnuplot gnuplot;
  if (!gnuplot.Check().ok()) GTEST_SKIP() << "gnuplot is not installed (Debian: gnuplot-nox)";
  const absl::Status status = gnuplot.Draw("plot nonsense(x)\n", "f", "t").status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("nonsense"));
  EXPECT_TRUE(absl::IsInternal(gnuplot.Draw("", "f", "t").status()));
}

}  // namespace
}  // namespace modelpatch::client::report
