// What the commands for patches send, and what they show.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "client/cli/app.h"
#include "tests/client/fake_server.h"
#include "tests/support/test_data.h"

namespace modelpatch::client {
namespace {

using ::modelpatch::testing::DetailedError;
using ::modelpatch::testing::FakeServer;
using ::testing::HasSubstr;

class PatchCommandsTest : public ::testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"modelpatch", "--server", server_.address()});
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    out_.str("");
    error_.str("");
    return RunApp(static_cast<int>(pointers.size()), pointers.data(), out_, error_);
  }

  // A patch with two versions, the first of them in production.
  static void Describe(v1::Patch& patch) {
    patch.set_name("patches/digits");
    patch.set_latest_version(2);
    patch.set_served_version(1);
    v1::PatchAlias& alias = *patch.add_aliases();
    alias.set_alias("production");
    alias.set_version(1);
    for (const int number : {2, 1}) {
      v1::PatchVersion& version = *patch.add_versions();
      version.set_version(number);
      version.set_name("patches/digits@" + std::to_string(number));
      version.mutable_mixture()->set_model("models/m");
    }
    v1::PatchAccuracy& accuracy = *patch.mutable_versions(1)->mutable_evaluation()->add_accuracies();
    accuracy.mutable_zero_shot()->set_accuracy(0.9);
    accuracy.mutable_patched()->set_task("tasks/colors");
    accuracy.mutable_patched()->set_accuracy(0.875);
    v1::TaskBudget& budget = *patch.mutable_versions(1)->add_budgets();
    budget.set_task("tasks/colors");
    budget.set_epsilon_points(2.25);
    v1::PatchPromotion& promotion = *patch.add_promotions();
    promotion.set_alias("production");
    promotion.set_version(1);
    promotion.set_override_budget(true);
    promotion.set_reason("they asked for it");
  }

  FakeServer server_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(PatchCommandsTest, CreateSendsTermsBudgetsAndTheJob) {
  v1::CreatePatchRequest seen;
  server_.create_patch = [&](const v1::CreatePatchRequest& request, v1::Patch& response) {
    seen = request;
    Describe(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"patch", "create", "digits", "--term", "c=0.5", "--term", "d=0.25", "--from-job", "j", "--epsilon",
                 "0.5", "--budget", "imagenet=2", "--request-id", "r"}),
            0)
      << error_.str();
  EXPECT_EQ(seen.patch_id(), "digits");
  ASSERT_EQ(seen.mixture().terms_size(), 2);
  EXPECT_EQ(seen.mixture().terms(1).checkpoint(), "checkpoints/d");
  EXPECT_EQ(seen.patch_job(), "patchJobs/j");
  EXPECT_EQ(seen.epsilon_points(), 0.5);
  EXPECT_EQ(seen.budgets(0).task(), "tasks/imagenet");
  EXPECT_EQ(seen.budgets(0).epsilon_points(), 2);
  EXPECT_EQ(seen.request_id(), "r");
  // Without terms there is no mixture: the job's choice is meant.
  EXPECT_EQ(Run({"patch", "create", "digits", "--from-job", "j"}), 0);
  EXPECT_FALSE(seen.has_mixture());
  EXPECT_FALSE(seen.has_epsilon_points());
  EXPECT_FALSE(seen.request_id().empty());  // so that it can be repeated
}

TEST_F(PatchCommandsTest, ShowTellsVersionsEvidenceAndHistory) {
  std::string name;
  server_.get_patch = [&](const v1::GetPatchRequest& request, v1::Patch& response) {
    name = request.name();
    Describe(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"patch", "show", "digits@production"}), 0);
  EXPECT_EQ(name, "patches/digits@production");
  for (const char* text : {"production = 1", "87.5%", "-2.5", "2.25", "budget overridden", "they asked for it"}) {
    EXPECT_THAT(out_.str(), HasSubstr(text));
  }
  EXPECT_EQ(Run({"--output", "json", "patch", "show", "digits"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"servedVersion\":1"));
}

TEST_F(PatchCommandsTest, PromoteRollBackAndDelete) {
  v1::PromotePatchRequest promoted;
  server_.promote_patch = [&](const v1::PromotePatchRequest& request, v1::Patch& response) {
    promoted = request;
    if (!request.override_budget()) {
      return DetailedError(grpc::StatusCode::FAILED_PRECONDITION, "loses 5 points", "PATCH_OVER_BUDGET", "");
    }
    Describe(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"patch", "promote", "digits"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("PATCH_OVER_BUDGET"));
  EXPECT_EQ(promoted.name(), "patches/digits");
  EXPECT_EQ(promoted.version(), 0);
  EXPECT_EQ(promoted.alias(), "");
  EXPECT_EQ(Run({"patch", "promote", "digits", "--version", "2", "--alias", "canary", "--override-budget", "--reason",
                 "so be it", "--etag", "e"}),
            0);
  EXPECT_EQ(promoted.version(), 2);
  EXPECT_EQ(promoted.alias(), "canary");
  EXPECT_EQ(promoted.reason(), "so be it");
  EXPECT_EQ(promoted.etag(), "e");

  v1::RollbackPatchRequest rolled_back;
  server_.rollback_patch = [&](const v1::RollbackPatchRequest& request, v1::Patch&) {
    rolled_back = request;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"patch", "rollback", "digits", "--alias", "canary"}), 0);
  EXPECT_EQ(rolled_back.name(), "patches/digits");
  EXPECT_EQ(rolled_back.alias(), "canary");

  server_.delete_patch = [](const v1::DeletePatchRequest&) { return grpc::Status::OK; };
  EXPECT_EQ(Run({"patch", "delete", "digits"}), 0);
  EXPECT_EQ(out_.str(), "deleted patches/digits\n");
}

TEST_F(PatchCommandsTest, ClassifyTakesAPatch) {
  v1::ClassifyRequest seen;
  server_.classify = [&](const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    seen = request;
    response.mutable_mixture()->set_model("models/m");
    response.mutable_weights()->set_patch("patches/digits@1");
    return grpc::Status::OK;
  };
  server_.get_patch = [](const v1::GetPatchRequest&, v1::Patch& response) {
    Describe(response);
    return grpc::Status::OK;
  };
  const modelpatch::testing::ScratchDirectory scratch;
  modelpatch::testing::WriteTestFile(scratch.Path("x.png"), "bytes");
  EXPECT_EQ(Run({"classify", "--patch", "digits@1", "--alpha", "0.5", "--class", "a", scratch.Path("x.png")}), 0)
      << error_.str();
  EXPECT_EQ(seen.patch(), "patches/digits@1");
  EXPECT_EQ(seen.alpha(), 0.5);
  EXPECT_FALSE(seen.has_mixture());
  EXPECT_THAT(out_.str(), HasSubstr("patches/digits@1 = models/m"));
  // A model beside it must be the patch's own.
  EXPECT_EQ(Run({"classify", "--model", "m", "--patch", "digits", "--class", "a", scratch.Path("x.png")}), 0);
  EXPECT_FALSE(seen.has_alpha());
  EXPECT_EQ(Run({"classify", "--model", "n", "--patch", "digits", "--class", "a", scratch.Path("x.png")}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("patches/digits@1 is of models/m, not of models/n"));
}

}  // namespace
}  // namespace modelpatch::client
