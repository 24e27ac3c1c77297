#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/app.h"
#include "tests/client/fake_server.h"
#include "tests/client/report_jobs.h"
#include "tests/support/test_data.h"

namespace modelpatch::client {
namespace {

using ::modelpatch::testing::FakeServer;
using ::modelpatch::testing::ParallelJob;
using ::modelpatch::testing::ScratchDirectory;
using ::modelpatch::testing::SequentialJob;
using ::modelpatch::testing::SingleJob;
using ::modelpatch::testing::WriteTestFile;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class ReportCommandTest : public ::testing::Test {
 protected:
  ReportCommandTest() {
    server_.get_patch_job = [this](const v1::GetPatchJobRequest& request, v1::PatchJob& job) {
      const auto it = jobs_.find(request.name());
      if (it == jobs_.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no such job");
      job = it->second;
      return grpc::Status::OK;
    };
    for (const v1::PatchJob& job : {SingleJob("a"), SequentialJob("s"), ParallelJob("p", "gradient")}) {
      jobs_[job.name()] = job;
    }
  }

  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"modelpatch", "--server", server_.address()});
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    out_.str("");
    error_.str("");
    return RunApp(static_cast<int>(pointers.size()), pointers.data(), out_, error_);
  }

  std::string Content(const std::string& name) const {
    std::ifstream file(scratch_.Path("out/" + name), std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
  }

  const ScratchDirectory scratch_;
  const std::string directory_ = scratch_.Path("out");
  std::map<std::string, v1::PatchJob> jobs_;
  FakeServer server_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(ReportCommandTest, WritesJobsOfTheServerAndOfFiles) {
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(jobs_["patchJobs/p"], &json).ok());
  WriteTestFile(scratch_.Path("p.json"), json);
  EXPECT_EQ(Run({"report", "a", "s", "--from-json", scratch_.Path("p.json"), "--out", directory_, "--no-figures",
                 "--title", "Mine"}),
            0)
      << error_.str();
  EXPECT_THAT(Content("report.html"), HasSubstr("<h1>Mine</h1>"));
  for (const char* job : {"Job a<", "Job s<", "Job p<"}) EXPECT_THAT(Content("report.html"), HasSubstr(job));
  EXPECT_THAT(Content("curve.csv"), HasSubstr("a,0.6,1,tasks/digits,patching,validation,0.82,820,1000\n"));
  EXPECT_THAT(out_.str(), HasSubstr(directory_ + "/report.html\n"));
}

TEST_F(ReportCommandTest, TheTestCurveIsAskedOfTheServer) {
  v1::SweepRequest seen;
  server_.sweep = [&](const v1::SweepRequest& request, grpc::ServerWriter<v1::SweepResponse>& writer) {
    seen = request;
    for (const double alpha : request.alphas()) {
      v1::SweepResponse response;
      response.mutable_point()->set_alpha(alpha);
      *response.mutable_point()->add_accuracies() =
          modelpatch::testing::AccuracyOf(request.patching_tasks(0), v1::TASK_ROLE_PATCHING, v1::SPLIT_TEST, 0.123);
      writer.Write(response);
    }
    v1::SweepResponse response;
    response.mutable_summary()->set_point_count(request.alphas_size());
    writer.Write(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"report", "a", "--out", directory_, "--no-figures", "--test-curve"}), 0) << error_.str();
  EXPECT_EQ(seen.split(), v1::SPLIT_TEST);
  EXPECT_EQ(seen.end().terms(0).checkpoint(), "checkpoints/a");
  EXPECT_EQ(seen.end().terms(0).coefficient(), 1);
  EXPECT_EQ(seen.alphas_size(), 11);
  EXPECT_THAT(Content("curve.csv"), HasSubstr("a,0.5,0,tasks/digits,patching,test,0.123,123,1000\n"));
  // Of a sequence there is no one line.
  EXPECT_EQ(Run({"report", "s", "--out", directory_, "--no-figures", "--test-curve"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("patchJobs/s"));
}

TEST_F(ReportCommandTest, WhatIsWrongIsToldAndNothingWritten) {
  jobs_["patchJobs/a"].set_state(v1::PATCH_JOB_STATE_FAILED);
  EXPECT_EQ(Run({"report", "s", "a", "--out", directory_, "--no-figures"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("patchJobs/a is FAILED"));
  EXPECT_EQ(Run({"report", "none", "--out", directory_, "--no-figures"}), 1);
  EXPECT_EQ(Run({"report", "--out", directory_, "--no-figures"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("at least one job"));
  for (const char* text :
       {"", "[]", "{\"name\": {}}", "{}", "{\"name\":\"patchJobs/x\",\"result\":{\"alpha\":\"NaN\"}"}) {
    WriteTestFile(scratch_.Path("bad.json"), text);
    EXPECT_EQ(Run({"report", "--from-json", scratch_.Path("bad.json"), "--out", directory_, "--no-figures"}), 1)
        << text;
    EXPECT_THAT(error_.str(), HasSubstr("INVALID_ARGUMENT")) << text;
  }
  EXPECT_EQ(Run({"report", "--from-json", scratch_.Path("none.json"), "--out", directory_, "--no-figures"}), 1);
  EXPECT_FALSE(fs::exists(directory_));
  EXPECT_EQ(Run({"report", "s"}), 2);
  WriteTestFile(directory_, "mine");
  EXPECT_EQ(Run({"report", "s", "--out", directory_, "--no-figures"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("is a file"));
}

TEST_F(ReportCommandTest, JobShowTellsStrategySearchAndComparisons) {
  EXPECT_EQ(Run({"job", "show", "p"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("parallel, gradient"));
  EXPECT_THAT(out_.str(), HasSubstr("α = (0.3, 0.6)"));
  EXPECT_THAT(out_.str(), HasSubstr("4.5 such passes"));
  EXPECT_THAT(out_.str(), HasSubstr("specialised models, one a task"));
  EXPECT_EQ(Run({"job", "show", "s"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("after each task of the sequence"));
  EXPECT_THAT(out_.str(), HasSubstr("fine-tuned in sequence, no interpolation"));
  EXPECT_EQ(Run({"job", "show", "a"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("82.0% [80.0, 84.0]"));
  EXPECT_THAT(out_.str(), HasSubstr("snapshot at step 100"));
}

}  // namespace
}  // namespace modelpatch::client
