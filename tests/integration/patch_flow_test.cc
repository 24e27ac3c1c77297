// The main job, through the real server: import, tasks, a patch job, its events, sweeps, mixtures, classification.

#include <fmt/format.h>
#include <httplib.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

using ::testing::HasSubstr;

class PatchFlowTest : public EndToEnd {
 protected:
  void SetUp() override {
    // So long that a stop which waits for it is seen.
    StartServer({"--drain-seconds", "3600"});
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
};

double Probability(const v1::ClassifyResponse& response, const std::string& class_name) {
  for (const auto& score : response.results(0).scores()) {
    if (score.class_name() == class_name) return score.probability();
  }
  return -1;
}

TEST_F(PatchFlowTest, AJobMakesACheckpointThatServesAtEveryAlpha) {
  v1::PatchJob submitted;
  ASSERT_THAT(Submit(JobRequest("first", 20), &submitted), Succeeds());
  EXPECT_EQ(submitted.name(), "patchJobs/first");
  EXPECT_EQ(submitted.spec().strategy(), v1::STRATEGY_SINGLE);
  EXPECT_EQ(submitted.spec().fine_tune().warmup_steps(), 2);
  ASSERT_EQ(submitted.steps().size(), 2);

  const std::vector<v1::PatchJobEvent> events = Watch("first");
  ASSERT_FALSE(events.empty());
  std::set<double> alphas;
  bool trained = false;
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].number(), static_cast<int64_t>(i) + 1);
    trained = trained || (IsTrainingProgress(events[i]) && events[i].progress().step_id() == "fine-tune" &&
                          events[i].progress().has_loss());
    if (events[i].has_point()) alphas.insert(events[i].point().alpha());
  }
  EXPECT_TRUE(trained);
  EXPECT_EQ(alphas, (std::set<double>{0, 0.5, 1}));
  EXPECT_EQ(events.back().state_change().state(), v1::PATCH_JOB_STATE_SUCCEEDED)
      << events.back().state_change().message();
  // The stream can be taken up anywhere, also after the end, and tells the same.
  const std::vector<v1::PatchJobEvent> rest = Watch("first", {}, 3);
  ASSERT_EQ(rest.size(), events.size() - 3);
  for (size_t i = 0; i < rest.size(); ++i) EXPECT_EQ(rest[i].SerializeAsString(), events[i + 3].SerializeAsString());
  const std::vector<v1::PatchJobEvent> tail = Watch("first", {}, events.back().number() - 2);
  ASSERT_EQ(tail.size(), 2u);
  EXPECT_EQ(tail.front().number(), events.back().number() - 1);

  const v1::PatchJob job = GetJob("first");
  ASSERT_EQ(job.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.result().points().size(), 3);
  EXPECT_EQ(job.result().final_accuracies().size(), 2);
  EXPECT_EQ(job.result().final_accuracies(0).zero_shot().total(), 60);
  EXPECT_EQ(job.result().final_accuracies(0).patched().split(), v1::SPLIT_TEST);
  EXPECT_TRUE(job.result().metrics().has_distance_to_optimal());
  EXPECT_GT(job.result().metrics().weight_cosine(), 0.5);
  EXPECT_EQ(job.result().metrics().cka().size(), 1);
  EXPECT_EQ(job.lineage().tasks_size(), 2);
  EXPECT_FALSE(job.lineage().code_version().empty());
  ASSERT_EQ(job.result().checkpoints().size(), 1);

  grpc::ClientContext context;
  v1::GetCheckpointRequest get;
  get.set_name(job.result().checkpoints(0));
  v1::Checkpoint checkpoint;
  ASSERT_THAT(stubs_->checkpoints->GetCheckpoint(&context, get, &checkpoint), Succeeds());
  EXPECT_EQ(checkpoint.kind(), v1::CHECKPOINT_KIND_FINE_TUNED);
  EXPECT_EQ(checkpoint.blob_digest().size(), 64u);
  EXPECT_GT(checkpoint.size_bytes(), 0);
  EXPECT_EQ(checkpoint.lineage().patch_job(), "patchJobs/first");
  EXPECT_EQ(checkpoint.lineage().fine_tune().steps(), 20);

  // α = 0 is the model itself; the others differ from it and from each other.
  v1::ClassifyResponse zero_shot;
  v1::ClassifyResponse at_zero;
  v1::ClassifyResponse at_half;
  v1::ClassifyResponse at_one;
  ASSERT_THAT(Classify(ClassifyRequestAt("", 0), &zero_shot), Succeeds());
  ASSERT_THAT(Classify(ClassifyRequestAt(checkpoint.name(), 0), &at_zero), Succeeds());
  ASSERT_THAT(Classify(ClassifyRequestAt(checkpoint.name(), 0.5), &at_half), Succeeds());
  ASSERT_THAT(Classify(ClassifyRequestAt(checkpoint.name(), 1), &at_one), Succeeds());
  EXPECT_EQ(Probability(zero_shot, "red"), Probability(at_zero, "red"));
  EXPECT_NE(Probability(at_zero, "red"), Probability(at_half, "red"));
  EXPECT_NE(Probability(at_half, "red"), Probability(at_one, "red"));
  EXPECT_EQ(at_half.mixture().terms(0).coefficient(), 0.5);
  EXPECT_GT(at_half.timings().total_milliseconds(), 0);

  // The sweep of the same line on the same data finds what the job found.
  v1::SweepRequest sweep;
  *sweep.mutable_end() = ClassifyRequestAt(checkpoint.name(), 1).mixture();
  for (const double alpha : {0.0, 0.5, 1.0}) sweep.add_alphas(alpha);
  sweep.add_patching_tasks("tasks/colors");
  sweep.add_supported_tasks("tasks/shapes");
  grpc::ClientContext sweep_context;
  const auto reader = stubs_->evaluation->Sweep(&sweep_context, sweep);
  std::vector<v1::SweepResponse> responses;
  for (v1::SweepResponse response; reader->Read(&response);) responses.push_back(response);
  ASSERT_THAT(reader->Finish(), Succeeds());
  ASSERT_EQ(responses.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(responses[i].has_point());
    const v1::SweepPoint& swept = responses[i].point();
    const v1::SweepPoint& found = job.result().points(i);
    EXPECT_EQ(swept.alpha(), found.alpha());
    ASSERT_EQ(swept.accuracies_size(), 2);
    for (int k = 0; k < 2; ++k) {
      EXPECT_EQ(swept.accuracies(k).task(), found.accuracies(k).task());
      EXPECT_EQ(swept.accuracies(k).correct(), found.accuracies(k).correct());
      EXPECT_EQ(swept.accuracies(k).total(), 60);
    }
  }
  EXPECT_EQ(responses[3].summary().point_count(), 3);
  EXPECT_TRUE(responses[3].summary().metrics().has_distance_to_optimal());

  // A stored mixture is a checkpoint with its parents, and serves like the mixture.
  v1::InterpolateRequest interpolate;
  interpolate.set_checkpoint_id("half");
  *interpolate.mutable_mixture() = ClassifyRequestAt(checkpoint.name(), 0.5).mixture();
  grpc::ClientContext interpolate_context;
  v1::Checkpoint half;
  ASSERT_THAT(stubs_->checkpoints->Interpolate(&interpolate_context, interpolate, &half), Succeeds());
  EXPECT_EQ(half.kind(), v1::CHECKPOINT_KIND_MERGED);
  ASSERT_EQ(half.lineage().parents_size(), 1);
  EXPECT_EQ(half.lineage().parents(0).checkpoint(), checkpoint.name());
  EXPECT_EQ(half.lineage().parents(0).coefficient(), 0.5);
  v1::ClassifyResponse at_stored;
  ASSERT_THAT(Classify(ClassifyRequestAt("checkpoints/half", 1), &at_stored), Succeeds());
  EXPECT_NEAR(Probability(at_stored, "red"), Probability(at_half, "red"), 1e-6);

  // Half way along the same line: the task vectors are parallel, the distances in proportion.
  v1::CompareCheckpointsRequest compare;
  compare.set_first("checkpoints/half");
  compare.set_second(checkpoint.name());
  compare.add_tasks("tasks/shapes");
  grpc::ClientContext compare_context;
  v1::CompareCheckpointsResponse comparison;
  ASSERT_THAT(stubs_->checkpoints->CompareCheckpoints(&compare_context, compare, &comparison), Succeeds());
  EXPECT_NEAR(comparison.task_vector_cosine(), 1, 1e-3);
  EXPECT_GT(comparison.weight_distance(), 0);
  ASSERT_EQ(comparison.cka().size(), 1);
  EXPECT_GT(comparison.cka(0).cka(), 0);

  // Evaluate agrees with the job's final accuracies.
  v1::EvaluateRequest evaluate;
  *evaluate.mutable_mixture() = ClassifyRequestAt(checkpoint.name(), 1).mixture();
  evaluate.add_tasks("tasks/colors");
  grpc::ClientContext evaluate_context;
  v1::EvaluateResponse evaluation;
  ASSERT_THAT(stubs_->evaluation->Evaluate(&evaluate_context, evaluate, &evaluation), Succeeds());
  EXPECT_EQ(evaluation.accuracies(0).correct(), job.result().final_accuracies(0).fine_tuned().correct());

  // A checkpoint that is deleted is gone; so is its blob once nothing uses it.
  grpc::ClientContext delete_context;
  v1::DeleteCheckpointRequest erase;
  erase.set_name("checkpoints/half");
  google::protobuf::Empty empty;
  ASSERT_THAT(stubs_->checkpoints->DeleteCheckpoint(&delete_context, erase, &empty), Succeeds());
  EXPECT_THAT(Classify(ClassifyRequestAt("checkpoints/half", 1)),
              AnswersWith(grpc::StatusCode::NOT_FOUND, "CHECKPOINT_NOT_FOUND"));
  EXPECT_FALSE(std::filesystem::exists(data_dir() + "/blobs/" + half.blob_digest() + ".safetensors"));
  EXPECT_TRUE(std::filesystem::exists(data_dir() + "/blobs/" + checkpoint.blob_digest() + ".safetensors"));
}

TEST_F(PatchFlowTest, TheSameRequestIdIsTheSameJob) {
  v1::CreatePatchJobRequest request = JobRequest("", 1);
  request.set_request_id("once");
  v1::PatchJob first;
  v1::PatchJob second;
  ASSERT_THAT(Submit(request, &first), Succeeds());
  ASSERT_THAT(Submit(request, &second), Succeeds());
  EXPECT_EQ(first.name(), second.name());
  EXPECT_EQ(second.request_id(), "once");
  request.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_steps(2);
  EXPECT_THAT(Submit(request), AnswersWith(grpc::StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));
}

TEST_F(PatchFlowTest, ACancelledJobEndsCancelledAndCanBeDeleted) {
  ASSERT_THAT(Submit(JobRequest("long", 1'000'000)), Succeeds());
  ASSERT_FALSE(Watch("long", IsTrainingProgress).empty());
  grpc::ClientContext context;
  v1::CancelPatchJobRequest cancel;
  cancel.set_name("patchJobs/long");
  v1::PatchJob job;
  ASSERT_THAT(stubs_->jobs->CancelPatchJob(&context, cancel, &job), Succeeds());
  job = WaitForJob("long");
  EXPECT_EQ(job.state(), v1::PATCH_JOB_STATE_CANCELLED);
  EXPECT_EQ(job.steps(0).state(), v1::STEP_STATE_CANCELLED);
  v1::DeletePatchJobRequest erase;
  erase.set_name("patchJobs/long");
  google::protobuf::Empty empty;
  grpc::ClientContext delete_context;
  ASSERT_THAT(stubs_->jobs->DeletePatchJob(&delete_context, erase, &empty), Succeeds());
  grpc::ClientContext get_context;
  v1::GetPatchJobRequest get;
  get.set_name("patchJobs/long");
  EXPECT_THAT(stubs_->jobs->GetPatchJob(&get_context, get, &job),
              AnswersWith(grpc::StatusCode::NOT_FOUND, "PATCH_JOB_NOT_FOUND"));
}

TEST_F(PatchFlowTest, ModelsAndTasksAreCopiedStoredOnceAndRemoved) {
  const auto count = [&](const char* folder) {
    return std::distance(std::filesystem::directory_iterator(data_dir() + "/" + folder),
                         std::filesystem::directory_iterator());
  };
  EXPECT_EQ(count("models"), 1);
  v1::ImportModelRequest import;
  import.set_model_id("again");
  import.set_path(import_root() + "/tiny");
  import.set_request_id("r");
  v1::Model model;
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_THAT(stubs_->models->ImportModel(&context, import, &model), Succeeds());
  }
  EXPECT_EQ(count("models"), 1);
  EXPECT_EQ(model.image_size_pixels(), 16);
  import.set_request_id("another");
  grpc::ClientContext refused;
  EXPECT_THAT(stubs_->models->ImportModel(&refused, import, &model),
              AnswersWith(grpc::StatusCode::ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS"));
  // The original may go: the server has its own copy.
  std::filesystem::remove_all(import_root() + "/tiny");
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), Succeeds());
  for (const char* name : {"models/again", "models/tiny"}) {
    grpc::ClientContext context;
    v1::DeleteModelRequest erase;
    erase.set_name(name);
    google::protobuf::Empty empty;
    ASSERT_THAT(stubs_->models->DeleteModel(&context, erase, &empty), Succeeds());
  }
  EXPECT_EQ(count("models"), 0);
  EXPECT_EQ(count("staging"), 0);
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), AnswersWith(grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"));
}

TEST_F(PatchFlowTest, ListsComeInPages) {
  CreateGeneratedTask("third", "digits");
  v1::ListTasksRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  do {
    grpc::ClientContext context;
    v1::ListTasksResponse response;
    ASSERT_THAT(stubs_->tasks->ListTasks(&context, request, &response), Succeeds());
    EXPECT_LE(response.tasks_size(), 2);
    for (const v1::Task& task : response.tasks()) names.push_back(task.name());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, (std::vector<std::string>{"tasks/shapes", "tasks/colors", "tasks/third"}));
}

TEST_F(PatchFlowTest, TextsAreTokenizedAndEncoded) {
  v1::TokenizeRequest tokenize;
  tokenize.set_model("models/tiny");
  tokenize.add_texts("a photo of a red circle.");
  tokenize.add_texts("");
  tokenize.add_texts(std::string(400, 'z'));
  grpc::ClientContext context;
  v1::TokenizeResponse tokens;
  ASSERT_THAT(stubs_->inference->Tokenize(&context, tokenize, &tokens), Succeeds());
  ASSERT_EQ(tokens.tokens().size(), 3);
  EXPECT_FALSE(tokens.tokens(0).truncated());
  EXPECT_EQ(tokens.tokens(1).ids_size(), 2);
  EXPECT_TRUE(tokens.tokens(2).truncated());
  EXPECT_EQ(tokens.tokens(2).ids_size(), 32);
  EXPECT_GT(tokens.tokens(2).token_count(), 32);
  EXPECT_THAT(tokens.tokens(2).kept_text(), HasSubstr("zzz"));

  v1::EncodeTextsRequest encode;
  encode.set_model("models/tiny");
  *encode.mutable_texts() = tokenize.texts();
  grpc::ClientContext encode_context;
  v1::EncodeTextsResponse encoded;
  ASSERT_THAT(stubs_->inference->EncodeTexts(&encode_context, encode, &encoded), Succeeds());
  ASSERT_EQ(encoded.embeddings().size(), 3);
  double norm = 0;
  for (const float value : encoded.embeddings(0).values()) norm += static_cast<double>(value) * value;
  EXPECT_NEAR(norm, 1, 1e-5);
  EXPECT_FALSE(encoded.truncated(0));
  EXPECT_TRUE(encoded.truncated(2));

  v1::EncodeImagesRequest images;
  *images.mutable_mixture() = ClassifyRequestAt("", 0).mixture();
  *images.mutable_images() = ClassifyRequestAt("", 0).images();
  grpc::ClientContext image_context;
  v1::EncodeImagesResponse image_response;
  ASSERT_THAT(stubs_->inference->EncodeImages(&image_context, images, &image_response), Succeeds());
  ASSERT_EQ(image_response.embeddings().size(), 1);
  EXPECT_EQ(image_response.embeddings(0).values_size(), encoded.embeddings(0).values_size());
}

TEST_F(PatchFlowTest, TopKCutsAndProbabilitiesAddUp) {
  v1::ClassifyRequest request = ClassifyRequestAt("", 0);
  request.add_images()->set_encoded(MakePng(9, 30, 0, 0, 255));
  v1::ClassifyResponse all;
  ASSERT_THAT(Classify(request, &all), Succeeds());
  ASSERT_EQ(all.results().size(), 2);
  double sum = 0;
  for (const auto& score : all.results(1).scores()) sum += score.probability();
  EXPECT_NEAR(sum, 1, 1e-6);
  request.set_top_k(1);
  v1::ClassifyResponse best;
  ASSERT_THAT(Classify(request, &best), Succeeds());
  ASSERT_EQ(best.results(0).scores().size(), 1);
  EXPECT_EQ(best.results(0).scores(0).class_name(), all.results(0).scores(0).class_name());
}

TEST_F(PatchFlowTest, HealthMetricsAndGracefulStop) {
  const auto health = grpc::health::v1::Health::NewStub(server_->Connect());
  for (const char* service : {"", "modelpatch.v1.InferenceService"}) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    ASSERT_THAT(health->Check(&context, request, &response), Succeeds());
    EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  }
  httplib::Client http(server_->http_address());
  EXPECT_EQ(http.Get("/healthz")->status, 200);
  EXPECT_EQ(http.Get("/readyz")->status, 200);
  ASSERT_THAT(Classify(ClassifyRequestAt("checkpoints/none", 1)),
              AnswersWith(grpc::StatusCode::NOT_FOUND, "CHECKPOINT_NOT_FOUND"));
  // A call is counted when it is over, which may be an instant after its answer: ask until it is there.
  std::string metrics;
  for (int i = 0; i < 1000 && metrics.find("method=\"Classify\"") == std::string::npos; ++i)
    metrics = http.Get("/metrics")->body;
  EXPECT_THAT(metrics, HasSubstr("modelpatch_grpc_calls_total{code=\"NOT_FOUND\",method=\"Classify\","
                                 "service=\"modelpatch.v1.InferenceService\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("modelpatch_build_info"));

  // Watches that are open do not hold the server up, and a job's is told that the server stops.
  grpc::ClientContext health_context;
  const auto health_reader = health->Watch(&health_context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse health_response;
  ASSERT_TRUE(health_reader->Read(&health_response));
  ASSERT_THAT(Submit(JobRequest("left-running", 1'000'000)), Succeeds());
  ASSERT_FALSE(Watch("left-running", IsTrainingProgress).empty());
  grpc::ClientContext watch_context;
  v1::WatchPatchJobRequest watch;
  watch.set_name("patchJobs/left-running");
  const auto reader = stubs_->jobs->WatchPatchJob(&watch_context, watch);
  v1::PatchJobEvent event;
  ASSERT_TRUE(reader->Read(&event));
  server_->Signal(SIGTERM);
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server_->Wait(), 0);

  // The job went on, and the next server has it.
  StartServer();
  EXPECT_EQ(GetJob("left-running").state(), v1::PATCH_JOB_STATE_RUNNING);
  grpc::ClientContext cancel_context;
  v1::CancelPatchJobRequest cancel;
  cancel.set_name("patchJobs/left-running");
  v1::PatchJob job;
  ASSERT_THAT(stubs_->jobs->CancelPatchJob(&cancel_context, cancel, &job), Succeeds());
  EXPECT_EQ(WaitForJob("left-running").state(), v1::PATCH_JOB_STATE_CANCELLED);
}

TEST_F(PatchFlowTest, WorkThatNobodyWaitsForHoldsUpNeitherOthersNorTheStop) {
  v1::ClassifyRequest slow = ClassifyRequestAt("", 0);
  for (int i = 0; i < 9000; ++i)
    slow.mutable_class_prompts()->mutable_names()->add_class_names(fmt::format("thing {}", i));
  for (int i = 0; i < 100; ++i) {
    slow.mutable_class_prompts()->mutable_names()->add_templates(fmt::format("photo {} of a {{c}}.", i));
  }
  slow.set_top_k(1);
  // As many as there are threads that make zero-shot heads, and more.
  for (int i = 0; i < 4; ++i) {
    slow.mutable_class_prompts()->mutable_names()->set_class_names(3, fmt::format("another {}", i));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
    v1::ClassifyResponse ignored;
    EXPECT_EQ(stubs_->inference->Classify(&context, slow, &ignored).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), Succeeds());
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(PatchFlowTest, TheReadyFileSaysWhereAndIsRemoved) {
  server_.reset();
  const std::string path = scratch_.Path("ready.json");
  StartServer({"--ready-file", path});
  std::ifstream file(path);
  const nlohmann::json ready = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(ready.is_object());
  EXPECT_EQ(ready["grpc"], server_->grpc_address());
  EXPECT_EQ(std::string("http://").append(ready["http"].get<std::string>()), server_->http_address());
  EXPECT_EQ(ready["pid"], server_->pid());
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace modelpatch::testing
