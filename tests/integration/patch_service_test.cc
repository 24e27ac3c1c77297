// Named patches through the real server: made from a job, served, promoted within a budget or against it, rolled back.

#include <filesystem>
#include <string>
#include <utility>

#include "modelpatch/v1/patch_service.grpc.pb.h"
#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class PatchServiceTest : public EndToEnd {
 public:
  // The demo's model, which knows colours, and a job that makes checkpoints/job, takes it at α = 1, and ruins the
  // supported task: what it learns is to give every colour the name of the next one.
  void SetUp() override {
    Start();
    if (HasFatalFailure()) return;
    ImportDemoModel();
    CreateGeneratedTask("colors", "colors");
    if (HasFatalFailure()) return;
    CreateRotatedTask();
    v1::CreatePatchJobRequest request = JobRequest("job", 8);
    v1::PatchJobSpec& spec = *request.mutable_patch_job()->mutable_spec();
    spec.set_model("models/demo");
    spec.set_patching_tasks(0, "tasks/rotated");
    spec.set_supported_tasks(0, "tasks/colors");
    spec.mutable_alpha_policy()->set_fixed_alpha(1);
    ASSERT_THAT(Submit(request), Succeeds());
    job_ = WaitForJob("job");
    ASSERT_EQ(job_.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << job_.error().message();
    ASSERT_GT(job_.result().final_accuracies(1).zero_shot().correct(),
              job_.result().final_accuracies(1).patched().correct());
  }

  void Start() {
    StartServer();
    if (!HasFatalFailure()) patches_ = v1::PatchService::NewStub(server_->Connect());
  }

  void ImportDemoModel() {
    std::filesystem::copy(SourcePath("deploy/demo/model"), import_root() + "/demo");
    grpc::ClientContext context;
    v1::ImportModelRequest request;
    request.set_model_id("demo");
    request.set_path("demo");
    v1::Model model;
    ASSERT_THAT(stubs_->models->ImportModel(&context, request, &model), Succeeds());
  }

  void CreateRotatedTask() {
    grpc::ClientContext get_context;
    v1::GetTaskRequest get;
    get.set_name("tasks/colors");
    v1::Task colors;
    ASSERT_THAT(stubs_->tasks->GetTask(&get_context, get, &colors), Succeeds());
    v1::CreateTaskRequest request;
    request.set_task_id("rotated");
    *request.mutable_task()->mutable_generator() = colors.generator();
    for (int i = 0; i < colors.class_names_size(); ++i) {
      request.mutable_task()->add_class_names(colors.class_names((i + 1) % colors.class_names_size()));
    }
    grpc::ClientContext context;
    v1::Task task;
    ASSERT_THAT(stubs_->tasks->CreateTask(&context, request, &task), Succeeds());
  }

  // patches/p: version 1 at α = 0.5 with a budget that nothing exceeds, version 2 as the job chose with none at all.
  void CreateTwoVersions() {
    v1::Patch patch;
    ASSERT_THAT(Create(RequestAt(0.5, 100), &patch), Succeeds());
    v1::CreatePatchRequest of_job;
    of_job.set_patch_id("p");
    of_job.set_patch_job("patchJobs/job");
    of_job.set_epsilon_points(0);
    ASSERT_THAT(Create(of_job, &patch), Succeeds());
    ASSERT_EQ(patch.latest_version(), 2);
  }

  static v1::CreatePatchRequest RequestAt(double alpha, double epsilon_points) {
    v1::CreatePatchRequest request;
    request.set_patch_id("p");
    auto* term = request.mutable_mixture()->add_terms();
    term->set_checkpoint("checkpoints/job");
    term->set_coefficient(alpha);
    request.set_epsilon_points(epsilon_points);
    return request;
  }

  grpc::Status Create(const v1::CreatePatchRequest& request, v1::Patch* patch) {
    grpc::ClientContext context;
    return patches_->CreatePatch(&context, request, patch);
  }
  grpc::Status Get(const std::string& name, v1::Patch* patch) {
    grpc::ClientContext context;
    v1::GetPatchRequest request;
    request.set_name(name);
    return patches_->GetPatch(&context, request, patch);
  }
  grpc::Status Promote(const v1::PromotePatchRequest& request, v1::Patch* patch) {
    grpc::ClientContext context;
    return patches_->PromotePatch(&context, request, patch);
  }
  grpc::Status RollBack(v1::Patch* patch) {
    grpc::ClientContext context;
    v1::RollbackPatchRequest request;
    request.set_name("patches/p");
    request.set_reason("it was worse");
    return patches_->RollbackPatch(&context, request, patch);
  }
  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    v1::DeletePatchRequest request;
    request.set_name(name);
    google::protobuf::Empty empty;
    return patches_->DeletePatch(&context, request, &empty);
  }
  grpc::Status DeleteCheckpoint() {
    grpc::ClientContext context;
    v1::DeleteCheckpointRequest request;
    request.set_name("checkpoints/job");
    google::protobuf::Empty empty;
    return stubs_->checkpoints->DeleteCheckpoint(&context, request, &empty);
  }
  v1::Checkpoint GetCheckpoint() {
    grpc::ClientContext context;
    v1::GetCheckpointRequest request;
    request.set_name("checkpoints/job");
    v1::Checkpoint checkpoint;
    EXPECT_THAT(stubs_->checkpoints->GetCheckpoint(&context, request, &checkpoint), Succeeds());
    return checkpoint;
  }

  v1::ClassifyRequest ClassifyRequestOfMixture(double alpha) const {
    v1::ClassifyRequest request = ClassifyRequestAt("checkpoints/job", alpha);
    request.mutable_mixture()->set_model("models/demo");
    return request;
  }
  v1::ClassifyRequest ClassifyRequestOf(const std::string& patch) const {
    v1::ClassifyRequest request = ClassifyRequestAt("", 0);
    request.clear_mixture();
    request.set_patch(patch);
    return request;
  }
  // The version that a name stands for, as a classification tells.
  std::string Served(const std::string& name) {
    v1::ClassifyResponse response;
    EXPECT_THAT(Classify(ClassifyRequestOf(name), &response), Succeeds()) << name;
    return response.weights().patch();
  }

  // The parts of the test: each makes patches/p anew.
  void APatchServesAsItsMixtureAndTellsWhichWeightsAnswered();
  void AVersionHasTheEvaluationOfItsJob();
  void PromotionKeepsToTheBudgetUnlessItIsOverridden();
  void RequestIdsAndEtagsGuardChanges();
  void RefusesBadRequests();
  void WhatAPatchNamesStays();

  std::unique_ptr<v1::PatchService::Stub> patches_;
  v1::PatchJob job_;
};

std::string ResultsOf(const v1::ClassifyResponse& response) {
  std::string results;
  for (const v1::ClassifyResult& result : response.results()) results += result.SerializeAsString();
  return results;
}

void PatchServiceTest::APatchServesAsItsMixtureAndTellsWhichWeightsAnswered() {
  CreateTwoVersions();
  const v1::Checkpoint checkpoint = GetCheckpoint();
  v1::ClassifyResponse by_patch;
  ASSERT_THAT(Classify(ClassifyRequestOf("patches/p@1"), &by_patch), Succeeds());
  v1::ClassifyResponse by_mixture;
  ASSERT_THAT(Classify(ClassifyRequestOfMixture(0.5), &by_mixture), Succeeds());
  EXPECT_EQ(ResultsOf(by_patch), ResultsOf(by_mixture));
  EXPECT_EQ(by_patch.mixture().SerializeAsString(), by_mixture.mixture().SerializeAsString());
  EXPECT_EQ(by_patch.weights().patch(), "patches/p@1");
  EXPECT_EQ(by_mixture.weights().patch(), "");
  for (const v1::ClassifyResponse* response : {&by_patch, &by_mixture}) {
    EXPECT_EQ(response->weights().model_digest(), checkpoint.lineage().model_digest());
    ASSERT_EQ(response->weights().terms_size(), 1);
    EXPECT_EQ(response->weights().terms(0).checkpoint(), "checkpoints/job");
    EXPECT_EQ(response->weights().terms(0).blob_digest(), checkpoint.blob_digest());
    EXPECT_EQ(response->weights().terms(0).coefficient(), 0.5);
  }
  // A live α scales what is stored.
  v1::ClassifyRequest halved = ClassifyRequestOf("patches/p@2");
  halved.set_alpha(0.5);
  v1::ClassifyResponse at_half;
  ASSERT_THAT(Classify(halved, &at_half), Succeeds());
  EXPECT_EQ(ResultsOf(at_half), ResultsOf(by_mixture));
  EXPECT_EQ(at_half.weights().terms(0).coefficient(), 0.5);

  grpc::ClientContext encode_context;
  v1::EncodeImagesRequest encode;
  encode.set_patch("patches/p@latest");
  *encode.mutable_images() = halved.images();
  v1::EncodeImagesResponse encoded;
  ASSERT_THAT(stubs_->inference->EncodeImages(&encode_context, encode, &encoded), Succeeds());
  EXPECT_EQ(encoded.weights().patch(), "patches/p@2");

  grpc::ClientContext evaluate_context;
  v1::EvaluateRequest evaluate;
  evaluate.set_patch("patches/p@2");
  evaluate.add_tasks("tasks/colors");
  v1::EvaluateResponse evaluation;
  ASSERT_THAT(stubs_->evaluation->Evaluate(&evaluate_context, evaluate, &evaluation), Succeeds());
  EXPECT_EQ(evaluation.accuracies(0).correct(), job_.result().final_accuracies(1).patched().correct());
  EXPECT_EQ(evaluation.weights().patch(), "patches/p@2");

  grpc::ClientContext sweep_context;
  v1::SweepRequest sweep;
  sweep.set_start_patch("patches/p@1");
  sweep.set_end_patch("patches/p@2");
  sweep.add_alphas(0.5);
  sweep.add_supported_tasks("tasks/colors");
  const auto reader = stubs_->evaluation->Sweep(&sweep_context, sweep);
  v1::SweepResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.point().mixture().terms(0).coefficient(), 0.75);
  while (reader->Read(&response)) {
  }
  EXPECT_THAT(reader->Finish(), Succeeds());

  grpc::ClientContext interpolate_context;
  v1::InterpolateRequest interpolate;
  interpolate.set_checkpoint_id("stored");
  interpolate.set_patch("patches/p@1");
  v1::Checkpoint stored;
  ASSERT_THAT(stubs_->checkpoints->Interpolate(&interpolate_context, interpolate, &stored), Succeeds());
  EXPECT_EQ(stored.lineage().parents(0).coefficient(), 0.5);
}

void PatchServiceTest::AVersionHasTheEvaluationOfItsJob() {
  CreateTwoVersions();
  v1::Patch patch;
  ASSERT_THAT(Get("patches/p", &patch), Succeeds());
  ASSERT_EQ(patch.versions_size(), 2);
  const v1::PatchVersion& chosen = patch.versions(0);
  EXPECT_EQ(chosen.name(), "patches/p@2");
  EXPECT_EQ(chosen.mixture().terms(0).coefficient(), 1);
  EXPECT_EQ(chosen.evaluation().patch_job(), "patchJobs/job");
  ASSERT_EQ(chosen.evaluation().accuracies_size(), 4);  // two tasks, validation and test data
  const v1::PatchAccuracy& last = chosen.evaluation().accuracies(3);
  EXPECT_EQ(last.patched().SerializeAsString(), job_.result().final_accuracies(1).patched().SerializeAsString());
  EXPECT_EQ(last.zero_shot().SerializeAsString(), job_.result().final_accuracies(1).zero_shot().SerializeAsString());
  EXPECT_EQ(chosen.evaluation().tasks_size(), 2);
  EXPECT_FALSE(chosen.evaluation().tasks(0).digest().empty());
  ASSERT_EQ(chosen.budgets_size(), 1);
  EXPECT_EQ(chosen.budgets(0).task(), "tasks/colors");
  EXPECT_EQ(chosen.budgets(0).epsilon_points(), 0);
  EXPECT_EQ(patch.versions(1).evaluation().accuracies_size(), 2);  // validation data alone
  // By version or alias, that one alone.
  ASSERT_THAT(Get("patches/p@1", &patch), Succeeds());
  ASSERT_EQ(patch.versions_size(), 1);
  EXPECT_EQ(patch.versions(0).version(), 1);
  EXPECT_THAT(Get("patches/p@3", &patch), AnswersWith(StatusCode::NOT_FOUND, "PATCH_VERSION_NOT_FOUND"));
  EXPECT_THAT(Get("patches/p@production", &patch), AnswersWith(StatusCode::NOT_FOUND, "PATCH_ALIAS_NOT_FOUND"));
  grpc::ClientContext context;
  v1::ListPatchesResponse list;
  ASSERT_THAT(patches_->ListPatches(&context, {}, &list), Succeeds());
  ASSERT_EQ(list.patches_size(), 1);
  EXPECT_EQ(list.patches(0).latest_version(), 2);
}

void PatchServiceTest::PromotionKeepsToTheBudgetUnlessItIsOverridden() {
  CreateTwoVersions();
  EXPECT_EQ(Served("patches/p"), "patches/p@2");
  v1::PromotePatchRequest promote;
  promote.set_name("patches/p");
  promote.set_version(1);
  v1::Patch patch;
  ASSERT_THAT(Promote(promote, &patch), Succeeds());
  EXPECT_EQ(Served("patches/p"), "patches/p@1");

  promote.set_version(0);
  const grpc::Status over = Promote(promote, &patch);
  EXPECT_THAT(over, AnswersWith(StatusCode::FAILED_PRECONDITION, "PATCH_OVER_BUDGET"));
  EXPECT_THAT(over.error_message(), HasSubstr("tasks/colors loses"));
  promote.set_override_budget(true);
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::INVALID_ARGUMENT, "REASON_REQUIRED"));
  EXPECT_EQ(Served("patches/p"), "patches/p@1");
  promote.set_reason("nobody needs the old names");
  ASSERT_THAT(Promote(promote, &patch), Succeeds());
  EXPECT_EQ(Served("patches/p"), "patches/p@2");
  ASSERT_EQ(patch.promotions_size(), 2);
  EXPECT_TRUE(patch.promotions(0).override_budget());
  EXPECT_THAT(patch.promotions(0).overridden(), HasSubstr("tasks/colors loses"));
  EXPECT_EQ(patch.promotions(0).reason(), "nobody needs the old names");
  EXPECT_FALSE(patch.promotions(1).override_budget());

  // What was never measured cannot be shown to keep to a budget.
  ASSERT_THAT(Create(RequestAt(0.3, 100), &patch), Succeeds());
  EXPECT_FALSE(patch.versions(0).has_evaluation());
  promote.clear_override_budget();
  promote.set_alias("canary");
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::FAILED_PRECONDITION, "PATCH_NOT_EVALUATED"));

  // Back, over a restart of the server, and no further than there is.
  patches_.reset();
  stubs_.reset();
  server_.reset();
  Start();
  ASSERT_THAT(RollBack(&patch), Succeeds());
  EXPECT_EQ(patch.served_version(), 1);
  ASSERT_EQ(patch.promotions_size(), 3);
  EXPECT_TRUE(patch.promotions(0).rollback());
  EXPECT_EQ(patch.promotions(0).reason(), "it was worse");
  EXPECT_EQ(Served("patches/p"), "patches/p@1");
  EXPECT_EQ(Served("patches/p@latest"), "patches/p@3");
  EXPECT_THAT(RollBack(&patch), AnswersWith(StatusCode::FAILED_PRECONDITION, "NO_PREVIOUS_VERSION"));
}

void PatchServiceTest::WhatAPatchNamesStays() {
  CreateTwoVersions();
  const std::string blob = data_dir() + "/blobs/" + GetCheckpoint().blob_digest() + ".safetensors";
  EXPECT_THAT(DeleteCheckpoint(), AnswersWith(StatusCode::FAILED_PRECONDITION, "RESOURCE_IN_USE"));
  grpc::ClientContext context;
  v1::DeletePatchJobRequest erase;
  erase.set_name("patchJobs/job");
  google::protobuf::Empty empty;
  ASSERT_THAT(stubs_->jobs->DeletePatchJob(&context, erase, &empty), Succeeds());
  EXPECT_TRUE(std::filesystem::exists(blob));
  v1::Patch patch;
  ASSERT_THAT(Get("patches/p@2", &patch), Succeeds());
  EXPECT_TRUE(patch.versions(0).has_evaluation());
  ASSERT_THAT(Delete("patches/p"), Succeeds());
  EXPECT_THAT(Classify(ClassifyRequestOf("patches/p")), AnswersWith(StatusCode::NOT_FOUND, "PATCH_NOT_FOUND"));
  ASSERT_THAT(DeleteCheckpoint(), Succeeds());
  EXPECT_FALSE(std::filesystem::exists(blob));
}

void PatchServiceTest::RequestIdsAndEtagsGuardChanges() {
  v1::CreatePatchRequest request = RequestAt(0.5, 100);
  request.set_request_id("once");
  v1::Patch first;
  v1::Patch second;
  ASSERT_THAT(Create(request, &first), Succeeds());
  ASSERT_THAT(Create(request, &second), Succeeds());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  EXPECT_EQ(second.latest_version(), 1);
  request.set_epsilon_points(99);
  EXPECT_THAT(Create(request, &second), AnswersWith(StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));

  v1::PromotePatchRequest promote;
  promote.set_name("patches/p");
  promote.set_etag(first.etag());
  v1::Patch patch;
  ASSERT_THAT(Promote(promote, &patch), Succeeds());
  EXPECT_NE(patch.etag(), first.etag());
  promote.set_alias("canary");
  const grpc::Status stale = Promote(promote, &patch);
  EXPECT_THAT(stale, AnswersWith(StatusCode::ABORTED, "STALE_REVISION"));
  EXPECT_EQ(FieldOf(stale), "etag");
}

void PatchServiceTest::RefusesBadRequests() {
  CreateTwoVersions();
  v1::Patch patch;
  for (const char* name : {"", "p", "models/p", "patches/", "patches/..", "patches/p@1@2", "patches/p@"}) {
    EXPECT_EQ(Get(name, &patch).error_code(), StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_EQ(Delete(name).error_code(), StatusCode::INVALID_ARGUMENT) << name;
    v1::ClassifyRequest classify = ClassifyRequestOf(name);
    EXPECT_EQ(Classify(classify).error_code(), StatusCode::INVALID_ARGUMENT) << name;
  }
  // A patch is deleted and promoted as a whole.
  EXPECT_THAT(Delete("patches/p@1"), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"));
  v1::PromotePatchRequest promote;
  promote.set_name("patches/p@1");
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"));
  promote.set_name("patches/p");
  promote.set_version(-1);
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PATCH_VERSION"));
  promote.set_version(9);
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::NOT_FOUND, "PATCH_VERSION_NOT_FOUND"));
  for (const char* alias : {"latest", "Production", "3", "a b", "-"}) {
    promote.set_alias(alias);
    EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_ALIAS")) << alias;
  }
  promote.set_alias("");
  promote.set_reason(std::string(1025, 'x'));
  EXPECT_THAT(Promote(promote, &patch), AnswersWith(StatusCode::INVALID_ARGUMENT, "REASON_TOO_LONG"));
  v1::ClassifyRequest both = ClassifyRequestOfMixture(1);
  both.set_patch("patches/p");
  EXPECT_THAT(Classify(both), AnswersWith(StatusCode::INVALID_ARGUMENT, "MIXTURE_AND_PATCH"));
  both.clear_patch();
  both.set_alpha(0.5);
  EXPECT_THAT(Classify(both), AnswersWith(StatusCode::INVALID_ARGUMENT, "ALPHA_WITHOUT_PATCH"));
  v1::ClassifyRequest beyond = ClassifyRequestOf("patches/p");
  beyond.set_alpha(1.5);
  const grpc::Status refused = Classify(beyond);
  EXPECT_THAT(refused, AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_COEFFICIENT"));
  EXPECT_EQ(FieldOf(refused), "alpha");
  ExpectServerAlive();
}

// One test, since the job takes most of the time.
TEST_F(PatchServiceTest, APatchIsMadeServedPromotedRolledBackAndDeleted) {
  const std::pair<const char*, void (PatchServiceTest::*)()> parts[] = {
      {"APatchServesAsItsMixtureAndTellsWhichWeightsAnswered",
       &PatchServiceTest::APatchServesAsItsMixtureAndTellsWhichWeightsAnswered},
      {"AVersionHasTheEvaluationOfItsJob", &PatchServiceTest::AVersionHasTheEvaluationOfItsJob},
      {"PromotionKeepsToTheBudgetUnlessItIsOverridden",
       &PatchServiceTest::PromotionKeepsToTheBudgetUnlessItIsOverridden},
      {"RequestIdsAndEtagsGuardChanges", &PatchServiceTest::RequestIdsAndEtagsGuardChanges},
      {"RefusesBadRequests", &PatchServiceTest::RefusesBadRequests},
  };
  for (const auto& [name, part] : parts) {
    SCOPED_TRACE(name);
    (this->*part)();
    if (HasFatalFailure()) return;
    ASSERT_THAT(Delete("patches/p"), Succeeds());
  }
  WhatAPatchNamesStays();
}

}  // namespace
}  // namespace modelpatch::testing
