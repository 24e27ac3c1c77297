// Merging methods of Interpolate: what is stored, its lineage, and what bad input gets.

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_writer.h"
#include "tests/integration/end_to_end.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::testing {
namespace {

using grpc::StatusCode;

class MergeTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
    for (const uint64_t seed : {2, 3, 4}) ImportTuned(seed);
  }
  void TearDown() override {
    if (server_ != nullptr && !HasFatalFailure()) ExpectServerAlive();
    EndToEnd::TearDown();
  }

  // Makes checkpoints/tuned-SEED: the tiny model with another image encoder.
  void ImportTuned(uint64_t seed) {
    const std::string name = "tuned-" + std::to_string(seed);
    const TinyParts parts = MakeTinyParts();
    ASSERT_OK(model::WriteModel(import_root() + "/" + name, parts.files, MakeTinyParts(seed).image_weights,
                                parts.text_weights, tensor::DType::kFloat32));
    v1::ImportCheckpointRequest request;
    request.set_checkpoint_id(name);
    request.set_model("models/tiny");
    request.set_path(name);
    grpc::ClientContext context;
    v1::Checkpoint checkpoint;
    ASSERT_THAT(stubs_->checkpoints->ImportCheckpoint(&context, request, &checkpoint), Succeeds());
  }
  static v1::InterpolateRequest Request(const std::string& id,
                                        const std::vector<std::pair<std::string, double>>& terms) {
    v1::InterpolateRequest request;
    request.set_checkpoint_id(id);
    for (const auto& [checkpoint, coefficient] : terms) {
      v1::MixtureTerm& term = *request.mutable_mixture()->add_terms();
      term.set_checkpoint("checkpoints/" + checkpoint);
      term.set_coefficient(coefficient);
    }
    return request;
  }
  grpc::Status Interpolate(const v1::InterpolateRequest& request, v1::Checkpoint* checkpoint = nullptr) {
    grpc::ClientContext context;
    v1::Checkpoint ignored;
    return stubs_->checkpoints->Interpolate(&context, request, checkpoint == nullptr ? &ignored : checkpoint);
  }
  v1::Checkpoint Stored(const v1::InterpolateRequest& request) {
    v1::Checkpoint checkpoint;
    EXPECT_THAT(Interpolate(request, &checkpoint), Succeeds());
    return checkpoint;
  }
  std::string BlobOf(const std::string& id) {
    v1::GetCheckpointRequest request;
    request.set_name("checkpoints/" + id);
    grpc::ClientContext context;
    v1::Checkpoint checkpoint;
    EXPECT_THAT(stubs_->checkpoints->GetCheckpoint(&context, request, &checkpoint), Succeeds());
    return checkpoint.blob_digest();
  }
  int CheckpointCount() {
    grpc::ClientContext context;
    v1::ListCheckpointsResponse response;
    EXPECT_THAT(stubs_->checkpoints->ListCheckpoints(&context, {}, &response), Succeeds());
    return response.checkpoints_size();
  }
};

TEST_F(MergeTest, EachMethodIsStoredWithItsLineageWhateverTheOrderOfTheTerms) {
  std::vector<v1::Merge> merges(4);
  merges[0].mutable_task_arithmetic();
  merges[1].mutable_ties();
  merges[2].mutable_dare()->set_seed(7);
  merges[3].mutable_slerp();
  std::vector<std::string> blobs;
  for (size_t i = 0; i < merges.size(); ++i) {
    v1::InterpolateRequest request = Request("merged-" + std::to_string(i), {{"tuned-2", 0.5}, {"tuned-3", 1.25}});
    *request.mutable_merge() = merges[i];
    const v1::Checkpoint merged = Stored(request);
    EXPECT_EQ(merged.kind(), v1::CHECKPOINT_KIND_MERGED);
    EXPECT_EQ(merged.model(), "models/tiny");
    ASSERT_EQ(merged.lineage().parents_size(), 2);
    EXPECT_EQ(merged.lineage().parents(1).checkpoint(), "checkpoints/tuned-3");
    EXPECT_EQ(merged.lineage().parents(1).coefficient(), 1.25);
    EXPECT_EQ(merged.lineage().merge().method_case(), merges[i].method_case());
    blobs.push_back(merged.blob_digest());

    v1::InterpolateRequest turned = Request("turned-" + std::to_string(i), {{"tuned-3", 1.25}, {"tuned-2", 0.5}});
    *turned.mutable_merge() = merges[i];
    EXPECT_EQ(Stored(turned).blob_digest(), blobs.back()) << i;
  }
  EXPECT_EQ(std::set<std::string>(blobs.begin(), blobs.end()).size(), merges.size());
}

TEST_F(MergeTest, DefaultsAreInTheLineage) {
  v1::InterpolateRequest request = Request("merged", {{"tuned-2", 1}, {"tuned-3", 1}});
  request.mutable_merge()->mutable_ties();
  EXPECT_EQ(Stored(request).lineage().merge().ties().density(), 0.2);
}

TEST_F(MergeTest, TaskArithmeticIsTheMixtureAndTiesOfOneIsTheCheckpoint) {
  v1::InterpolateRequest request = Request("plain", {{"tuned-2", 0.5}, {"tuned-3", 0.25}});
  const std::string plain = Stored(request).blob_digest();
  request.set_checkpoint_id("arithmetic");
  request.mutable_merge()->mutable_task_arithmetic();
  EXPECT_EQ(Stored(request).blob_digest(), plain);
  v1::InterpolateRequest one = Request("one", {{"tuned-2", 0.5}});
  one.mutable_merge()->mutable_ties()->set_density(1);
  EXPECT_EQ(Stored(one).blob_digest(), BlobOf("tuned-2"));
}

TEST_F(MergeTest, ASecondCallWithTheSameRequestIdAnswersTheFirst) {
  v1::InterpolateRequest request = Request("merged", {{"tuned-2", 1}, {"tuned-3", 1}});
  request.set_request_id("once");
  request.mutable_merge()->mutable_dare()->set_seed(1);
  const std::string blob = Stored(request).blob_digest();
  EXPECT_EQ(Stored(request).blob_digest(), blob);
  request.mutable_merge()->mutable_dare()->set_seed(2);
  EXPECT_EQ(Interpolate(request).error_code(), StatusCode::ALREADY_EXISTS);
}

TEST_F(MergeTest, BadInputIsNamedAndLeavesNothing) {
  const int before = CheckpointCount();
  const auto expect = [&](const v1::InterpolateRequest& request, const char* reason, const char* field) {
    const grpc::Status status = Interpolate(request);
    EXPECT_THAT(status, AnswersWith(StatusCode::INVALID_ARGUMENT, reason));
    EXPECT_EQ(FieldOf(status), field);
  };
  const std::vector<std::pair<std::string, double>> two = {{"tuned-2", 1}, {"tuned-3", 1}};
  v1::InterpolateRequest request = Request("x", two);
  request.mutable_merge();
  expect(request, "NO_MERGE_METHOD", "merge");
  request.mutable_merge()->mutable_fisher();
  expect(request, "MERGE_NEEDS_JOB", "merge.fisher");
  for (const double density : {0.0, -1.0, 1.01, std::nan("")}) {
    request.mutable_merge()->mutable_ties()->set_density(density);
    expect(request, "BAD_MERGE_OPTION", "merge.ties.density");
  }
  request.mutable_merge()->mutable_dare()->set_drop_rate(1);
  expect(request, "BAD_MERGE_OPTION", "merge.dare.drop_rate");
  request.mutable_merge()->mutable_dare()->set_drop_rate(0.5);
  request.mutable_merge()->mutable_dare()->set_seed(-1);
  expect(request, "BAD_MERGE_OPTION", "merge.dare.seed");

  request = Request("x", {{"tuned-2", 1}, {"tuned-3", 1}, {"tuned-4", 1}});
  request.mutable_merge()->mutable_slerp();
  expect(request, "BAD_TERM_COUNT", "merge");
  request = Request("x", {{"tuned-2", 1}, {"tuned-3", -0.5}});
  request.mutable_merge()->mutable_ties();
  expect(request, "BAD_COEFFICIENT", "mixture.terms[1].coefficient");
  request = Request("x", {{"tuned-2", 0}, {"tuned-3", 0}});
  request.mutable_merge()->mutable_slerp();
  expect(request, "BAD_COEFFICIENT", "mixture.terms");
  request = Request("x", {{"tuned-2", std::nan("")}, {"tuned-3", 1}});
  request.mutable_merge()->mutable_task_arithmetic();
  expect(request, "BAD_COEFFICIENT", "mixture.terms[0].coefficient");

  request = Request("x", two);
  request.mutable_merge()->mutable_ties();
  request.clear_mixture();
  expect(request, "NO_TERMS", "mixture.terms");
  request.set_patch("patches/p");
  expect(request, "MERGE_OF_PATCH", "merge");
  request = Request("x", {{"tuned-2", 1}, {"absent", 1}});
  request.mutable_merge()->mutable_ties();
  const grpc::Status absent = Interpolate(request);
  EXPECT_THAT(absent, AnswersWith(StatusCode::NOT_FOUND, "CHECKPOINT_NOT_FOUND"));
  EXPECT_EQ(FieldOf(absent), "mixture.terms[1].checkpoint");
  // Without a method the coefficients stay in [0, 1].
  expect(Request("x", {{"tuned-2", 1.25}}), "BAD_COEFFICIENT", "mixture.terms[0].coefficient");
  EXPECT_EQ(CheckpointCount(), before);
}

}  // namespace
}  // namespace modelpatch::testing
