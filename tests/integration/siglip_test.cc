// A SigLIP is imported only by who says that he knows, and is then a model like any other: served with probabilities of
// its own kind, patched by a worker, and exported.

#include <cmath>
#include <filesystem>
#include <string>

#include "tests/integration/end_to_end.h"
#include "tests/support/tiny_siglip.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using ::testing::HasSubstr;

class SiglipTest : public EndToEnd {
 protected:
  void SetUp() override {
    fs::create_directories(export_root());
    StartServer({"--export-root", export_root()});
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
    WriteTinySiglip(import_root() + "/siglip");
  }
  std::string export_root() const { return import_root() + "/exports"; }

  grpc::Status Import(const std::string& id, const std::string& path, bool allow) {
    grpc::ClientContext context;
    v1::ImportModelRequest request;
    request.set_model_id(id);
    request.set_path(path);
    request.set_allow_unverified_family(allow);
    return stubs_->models->ImportModel(&context, request, &model_);
  }
  grpc::Status ClassifyAt(const v1::Mixture& mixture, v1::ClassifyResponse* response) {
    grpc::ClientContext context;
    v1::ClassifyRequest request;
    *request.mutable_mixture() = mixture;
    for (const char* name : {"a red circle", "a house", "a horse"}) {
      request.mutable_class_prompts()->mutable_names()->add_class_names(name);
    }
    request.add_images()->set_encoded(MakePng(30, 20, 200, 100, 50));
    return stubs_->inference->Classify(&context, request, response);
  }
  grpc::Status Export(const v1::Mixture& mixture, const std::string& path, v1::ExportLayout layout) {
    grpc::ClientContext context;
    v1::ExportModelRequest request;
    *request.mutable_mixture() = mixture;
    request.set_path(path);
    request.set_layout(layout);
    v1::ExportModelResponse response;
    return stubs_->models->ExportModel(&context, request, &response);
  }

  v1::Model model_;
};

TEST_F(SiglipTest, IsImportedOnlyWithTheFlag) {
  const grpc::Status refused = Import("siglip", "siglip", false);
  EXPECT_THAT(refused, AnswersWith(StatusCode::FAILED_PRECONDITION, "MODEL_FAMILY_UNVERIFIED"));
  EXPECT_THAT(refused.error_message(), HasSubstr("--allow-unverified-family"));
  ASSERT_THAT(Import("siglip", "siglip", true), Succeeds());
  EXPECT_EQ(model_.architecture(), "siglip");
  EXPECT_TRUE(model_.has_logit_bias());
  EXPECT_NEAR(model_.logit_bias(), -3.0, 1e-6);
}

TEST_F(SiglipTest, IsServedPatchedAndExported) {
  ASSERT_THAT(Import("siglip", "siglip", true), Succeeds());
  v1::CreatePatchJobRequest job = JobRequest("job", 4);
  job.mutable_patch_job()->mutable_spec()->set_model("models/siglip");
  ASSERT_THAT(Submit(job), Succeeds());
  ASSERT_EQ(WaitForJob("job").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  v1::Mixture mixture;
  v1::MixtureTerm& term = *mixture.add_terms();
  term.set_checkpoint("checkpoints/job");
  term.set_coefficient(0.5);
  v1::ClassifyResponse response;
  ASSERT_THAT(ClassifyAt(mixture, &response), Succeeds());
  EXPECT_EQ(response.probability_kind(), v1::PROBABILITY_KIND_SIGMOID);
  ASSERT_EQ(response.results(0).scores_size(), 3);
  for (const v1::ClassScore& score : response.results(0).scores()) {
    EXPECT_NEAR(score.logit(), std::exp(2.5) * score.cosine() - 3.0, 1e-3);
    EXPECT_NEAR(score.probability(), 1.0 / (1.0 + std::exp(-score.logit())), 1e-5);
  }
  EXPECT_THAT(Export(mixture, "open-clip", v1::EXPORT_LAYOUT_OPEN_CLIP),
              AnswersWith(StatusCode::FAILED_PRECONDITION, "LAYOUT_UNSUPPORTED"));
  ASSERT_THAT(Export(mixture, "hf", v1::EXPORT_LAYOUT_HUGGING_FACE), Succeeds());
  ASSERT_THAT(Import("again", "exports/hf", true), Succeeds());
  v1::Mixture again;
  again.set_model("models/again");
  v1::ClassifyResponse same;
  ASSERT_THAT(ClassifyAt(again, &same), Succeeds());
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(same.results(0).scores(i).logit(), response.results(0).scores(i).logit(), 1e-4);
  }
}

}  // namespace
}  // namespace modelpatch::testing
