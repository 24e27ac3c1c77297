// The engine with a real (tiny) model.
#include "core/serve/inference_engine.h"

#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <future>
#include <thread>

#include "core/base/file.h"
#include "core/data/image_codec.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "core/patch/interpolation.h"
#include "core/serve/auto_alpha.h"
#include "core/serve/prepared_classifier.h"
#include "core/store/blob_store.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::serve {
namespace {

using ::modelpatch::testing::FailsWith;

std::shared_ptr<const ClassList> ListOf(std::vector<model::ClassPrompts> classes) {
  return std::make_shared<const ClassList>(std::move(classes));
}

class InferenceEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(directory_, 1);
    testing::WriteTinyModel(scratch_.Path("other"), 2);
    ASSERT_OK_AND_ASSIGN(model_, model::LoadModel(directory_, tensor::Device(), {}));
    ASSERT_OK_AND_ASSIGN(const auto other, model::LoadModel(scratch_.Path("other"), tensor::Device(), {}));
    ASSERT_OK_AND_ASSIGN(blob_, blobs_.Put(other->image_weights, {}));
    engine_ = std::make_unique<InferenceEngine>(EngineOptions{}, executor_, blobs_, clock_, *metrics_);
  }

  ClassifyRequest Request(double alpha) const {
    ClassifyRequest request;
    request.mixture.model_directory = directory_;
    if (alpha != 0) request.mixture.terms = {{blob_, alpha}};
    request.classes =
        ListOf({{"circle", {"a red circle"}}, {"square", {"a blue square"}}, {"seven", {"the digit seven"}}});
    data::RgbImage image{20, 30, std::vector<uint8_t>(20 * 30 * 3)};
    for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 37);
    request.images = {{*data::EncodePng(image), {}}};
    return request;
  }

  absl::StatusOr<ClassifyResult> Classify(ClassifyRequest request) {
    std::promise<absl::StatusOr<ClassifyResult>> promise;
    engine_->Classify(std::move(request),
                      [&](absl::StatusOr<ClassifyResult> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }

  absl::StatusOr<ClassifierFacts> Prepare(const std::shared_ptr<PreparedClassifier>& prepared) {
    std::promise<absl::StatusOr<ClassifierFacts>> promise;
    engine_->Prepare(prepared, {}, [&](absl::StatusOr<ClassifierFacts> facts) { promise.set_value(std::move(facts)); });
    return promise.get_future().get();
  }

  // On 30 test images.
  absl::StatusOr<std::vector<patch::SweepPoint>> SweepDigits(const std::vector<double>& alphas) {
    SweepTask task{"digits", {}, patch::TaskRole::kPatching, data::Split::kTest};
    task.source.format = "generator";
    task.source.generator = "digits";
    task.source.generated_train = 100;
    task.source.generated_test = 30;
    const ResolvedMixture start{directory_, {}};
    const ResolvedMixture end{directory_, {{blob_, 1.0}}};
    return engine_->Sweep(start, end, alphas, {task}, {}, nullptr);
  }

  const testing::ScratchDirectory scratch_;
  const std::string directory_ = scratch_.Path("model");
  const store::BlobStore blobs_{scratch_.path()};
  const base::SystemClock clock_;
  const std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  testing::InlineExecutor executor_;
  std::shared_ptr<const model::ClipModel> model_;
  std::string blob_;
  std::unique_ptr<InferenceEngine> engine_;
};

TEST_F(InferenceEngineTest, Bf16IsCloseToFp32AndHoldsHalfOfTheBytes) {
  ASSERT_OK_AND_ASSIGN(const ClassifyResult exact, Classify(Request(0.5)));
  EngineOptions options;
  options.caches.precision = model::Precision::kBFloat16;
  // One mixture in fp32 would not fit.
  options.caches.mixture_bytes = model_->image_weights.bytes() * 6 / 10;
  engine_ = std::make_unique<InferenceEngine>(options, executor_, blobs_, clock_, *metrics_);
  for (const double alpha : {0.0, 0.5, 1.0}) ASSERT_OK(Classify(Request(alpha)).status());
  ASSERT_OK_AND_ASSIGN(const ClassifyResult rounded, Classify(Request(0.5)));
  ASSERT_EQ(rounded.images[0].size(), exact.images[0].size());
  for (size_t i = 0; i < exact.images[0].size(); ++i) {
    EXPECT_NEAR(rounded.images[0][i].cosine, exact.images[0][i].cosine, 0.02);
  }
}

TEST_F(InferenceEngineTest, ScoresAreRankedAndConsistent) {
  ASSERT_OK_AND_ASSIGN(const ClassifyResult result, Classify(Request(0.5)));
  ASSERT_EQ(result.images.size(), 1u);
  const auto& scores = result.images[0];
  ASSERT_EQ(scores.size(), 3u);
  double sum = 0;
  for (const ClassScore& score : scores) {
    sum += score.probability;
    EXPECT_NEAR(score.logit, model_->logit_scale * score.cosine, 1e-4);
    EXPECT_LE(score.probability, scores[0].probability);
  }
  EXPECT_GE(scores[1].probability, scores[2].probability);
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(InferenceEngineTest, TopKKeepsTheBestWithTheProbabilitiesOfAll) {
  ASSERT_OK_AND_ASSIGN(const ClassifyResult all, Classify(Request(0.5)));
  ClassifyRequest request = Request(0.5);
  request.top_k = 1;
  ASSERT_OK_AND_ASSIGN(const ClassifyResult best, Classify(std::move(request)));
  ASSERT_EQ(best.images[0].size(), 1u);
  EXPECT_EQ(best.images[0][0].class_index, all.images[0][0].class_index);
  EXPECT_DOUBLE_EQ(best.images[0][0].probability, all.images[0][0].probability);
}

TEST_F(InferenceEngineTest, TheSameClassesInAnotherOrderAreAnsweredInTheirOwn) {
  ClassifyRequest reversed = Request(0.5);
  const std::vector<model::ClassPrompts> classes = reversed.classes->classes();
  reversed.classes = ListOf({classes.rbegin(), classes.rend()});
  ASSERT_OK_AND_ASSIGN(const ClassifyResult first, Classify(Request(0.5)));
  ASSERT_OK_AND_ASSIGN(const ClassifyResult second, Classify(std::move(reversed)));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(second.images[0][i].class_index, 2 - first.images[0][i].class_index);
    EXPECT_NEAR(second.images[0][i].cosine, first.images[0][i].cosine, 1e-6);
  }
}

TEST_F(InferenceEngineTest, AlphaMovesTheAnswerAndItsEndsAreTheModels) {
  ASSERT_OK_AND_ASSIGN(const ClassifyResult zero, Classify(Request(0)));
  ASSERT_OK_AND_ASSIGN(const ClassifyResult half, Classify(Request(0.5)));
  ASSERT_OK_AND_ASSIGN(const ClassifyResult one, Classify(Request(1)));
  EXPECT_NE(zero.images[0][0].cosine, half.images[0][0].cosine);
  EXPECT_NE(one.images[0][0].cosine, half.images[0][0].cosine);
  // A tensor of the same pixels gives the same scores as the encoded image.
  ClassifyRequest request = Request(0);
  ASSERT_OK_AND_ASSIGN(const data::RgbImage pixels,
                       data::PreprocessToPixels(request.images[0].encoded, model_->preprocess));
  request.images[0].pixels.resize(3 * 16 * 16);
  data::NormalizeToPlanar(pixels.pixels.data(), model_->preprocess, request.images[0].pixels.data());
  request.images[0].encoded.clear();
  ASSERT_OK_AND_ASSIGN(const ClassifyResult from_tensor, Classify(std::move(request)));
  EXPECT_DOUBLE_EQ(from_tensor.images[0][0].cosine, zero.images[0][0].cosine);
}

TEST_F(InferenceEngineTest, APreparedClassifierGivesTheSameScores) {
  ASSERT_OK_AND_ASSIGN(const ClassifyResult expected, Classify(Request(0.5)));
  ClassifyRequest request = Request(0.5);
  const auto prepared = std::make_shared<PreparedClassifier>(request.mixture, request.classes);
  ASSERT_OK_AND_ASSIGN(const ClassifierFacts facts, Prepare(prepared));
  EXPECT_FALSE(facts.is_sigmoid);
  EXPECT_EQ(facts.truncated_prompts, 0);
  request.mixture = {};
  request.classes = nullptr;
  request.prepared = prepared;
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK_AND_ASSIGN(const ClassifyResult result, Classify(request));
    ASSERT_EQ(result.images[0].size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(result.images[0][i].class_index, expected.images[0][i].class_index);
      EXPECT_EQ(result.images[0][i].probability, expected.images[0][i].probability);
    }
  }
}

TEST_F(InferenceEngineTest, APreparedClassifierKeepsNoModel) {
  ClassifyRequest request = Request(0);
  request.prepared = std::make_shared<PreparedClassifier>(request.mixture, request.classes);
  ASSERT_OK(Prepare(request.prepared).status());
  ASSERT_OK(Classify(request).status());
  // The engine lets go of a request a moment after it was answered.
  while (request.prepared->Find() != nullptr) std::this_thread::yield();
  engine_->EvictModel(directory_);
  ASSERT_OK(base::RemoveAll(directory_));
  EXPECT_FALSE(Classify(request).ok()) << "what was deleted is not served from anywhere";
  EXPECT_FALSE(Prepare(request.prepared).ok());
}

TEST_F(InferenceEngineTest, BadInputNamesTheImage) {
  ClassifyRequest request = Request(0);
  request.images.push_back({"not an image", {}});
  const auto garbage = Classify(std::move(request));
  EXPECT_EQ(garbage.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::FieldOf(garbage.status()), "images[1]");
  request = Request(0);
  request.images[0] = {"", std::vector<float>(5)};
  EXPECT_THAT(Classify(std::move(request)), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_IMAGE_TENSOR"));
  request = Request(0);
  request.images[0] = {"", std::vector<float>(3 * 16 * 16, std::nanf(""))};
  EXPECT_THAT(Classify(std::move(request)), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_IMAGE_TENSOR"));
}

TEST_F(InferenceEngineTest, UnknownBlobsAndPassedDeadlinesAreErrors) {
  ClassifyRequest request = Request(0);
  request.mixture.terms = {{std::string(64, '0'), 0.5}};
  EXPECT_THAT(Classify(std::move(request)), FailsWith(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND"));
  request = Request(0);
  request.context.deadline = clock_.SteadyNow() - std::chrono::seconds(1);
  EXPECT_EQ(Classify(std::move(request)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(InferenceEngineTest, ManyImagesGoInSlicesAndComeBackInTheirOrder) {
  EngineOptions options;
  options.batcher.maximum_batch = 3;
  engine_ = std::make_unique<InferenceEngine>(options, executor_, blobs_, clock_, *metrics_);
  ClassifyRequest many = Request(0.5);
  many.images.clear();
  for (int i = 0; i < 20; ++i)
    many.images.push_back({"", std::vector<float>(3 * 16 * 16, 0.1F * static_cast<float>(i))});
  ASSERT_OK_AND_ASSIGN(const ClassifyResult together, Classify(many));
  ASSERT_EQ(together.images.size(), 20u);
  for (size_t i = 0; i < many.images.size(); ++i) {
    ClassifyRequest one = Request(0.5);
    one.images = {many.images[i]};
    ASSERT_OK_AND_ASSIGN(const ClassifyResult alone, Classify(one));
    EXPECT_EQ(alone.images[0][0].class_index, together.images[i][0].class_index) << i;
    EXPECT_NEAR(alone.images[0][0].cosine, together.images[i][0].cosine, 1e-5) << i;
  }
}

TEST_F(InferenceEngineTest, AnErrorInALaterSliceIsTheRequests) {
  EngineOptions options;
  options.batcher.maximum_batch = 2;
  engine_ = std::make_unique<InferenceEngine>(options, executor_, blobs_, clock_, *metrics_);
  ClassifyRequest request = Request(0);
  for (int i = 0; i < 12; ++i) request.images.push_back(request.images[0]);
  request.images[11] = {"not an image", {}};
  const auto result = Classify(std::move(request));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::FieldOf(result.status()), "images[11]");
}

TEST_F(InferenceEngineTest, ScoresThatAreNoNumbersAreAnError) {
  EXPECT_THAT(Classify(Request(1e39)), FailsWith(absl::StatusCode::kFailedPrecondition, "FEATURES_NOT_FINITE"));
}

TEST_F(InferenceEngineTest, ASweepThatWouldNotFitIsRefused) {
  EngineOptions options;
  options.sweep_bytes = int64_t{29} * 3 * 16 * 16;
  engine_ = std::make_unique<InferenceEngine>(options, executor_, blobs_, clock_, *metrics_);
  EXPECT_THAT(SweepDigits({0}).status(), FailsWith(absl::StatusCode::kResourceExhausted, "SWEEP_TOO_LARGE"));
}

TEST_F(InferenceEngineTest, EvictedModelsComeBack) {
  EXPECT_OK(Classify(Request(0.5)));
  engine_->EvictModel(directory_);
  EXPECT_OK(Classify(Request(0.5)));
}

TEST_F(InferenceEngineTest, WhatOneNameOfAModelLeavesTheOtherKeeps) {
  const std::string second = scratch_.Path("second");
  testing::WriteTinyModel(second, 1);
  ClassifyRequest under_second = Request(0.5);
  under_second.mixture.model_directory = second;
  ASSERT_OK(Classify(under_second).status());
  ASSERT_OK(Classify(Request(0.5)).status());
  // What is forgotten now could not be read again.
  int removed = 0;
  for (const auto& file : std::filesystem::directory_iterator(blobs_.directory())) {
    if (file.path().filename().string().find(blob_) == std::string::npos) continue;
    ASSERT_OK(base::RemoveAll(file.path().string()));
    ++removed;
  }
  ASSERT_EQ(removed, 1);
  engine_->EvictModel(second);
  EXPECT_OK(Classify(Request(0.5)).status());
  engine_->EvictModel(directory_);
  EXPECT_THAT(Classify(Request(0.5)), FailsWith(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND"));
}

TEST_F(InferenceEngineTest, SweepsThroughTheBatcher) {
  ASSERT_OK_AND_ASSIGN(const auto points, SweepDigits({0, 0.5, 1}));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[1].accuracies[0].total, 30);
}

TEST_F(InferenceEngineTest, ImagesNeedNotBeSquares) {
  const model::VisionConfig vision{
      .image_size = {16, 40}, .patch_size = 8, .width = 64, .layers = 2, .heads = 1, .mlp_width = 256};
  const testing::TinyParts parts = testing::MakeTinyParts(1, &vision);
  const std::string directory = scratch_.Path("wide");
  ASSERT_OK(model::WriteOpenClipModel(directory, parts.files, parts.image_weights, parts.text_weights, std::nullopt));
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(directory, tensor::Device(), {}));
  ClassifyRequest request = Request(0);
  request.mixture.model_directory = directory;
  ASSERT_OK_AND_ASSIGN(const ClassifyResult encoded, Classify(request));
  ASSERT_OK_AND_ASSIGN(const data::RgbImage pixels,
                       data::PreprocessToPixels(request.images[0].encoded, model->preprocess));
  EXPECT_EQ(pixels.width, 40);
  request.images[0].pixels.resize(3 * 16 * 40);
  data::NormalizeToPlanar(pixels.pixels.data(), model->preprocess, request.images[0].pixels.data());
  request.images[0].encoded.clear();
  ASSERT_OK_AND_ASSIGN(const ClassifyResult tensor, Classify(request));
  EXPECT_DOUBLE_EQ(encoded.images[0][0].cosine, tensor.images[0][0].cosine);
  request.images[0].pixels.resize(3 * 16 * 16);
  const absl::Status refused = Classify(request).status();
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_IMAGE_TENSOR"));
  EXPECT_NE(std::string(refused.message()).find("3·16·40"), std::string::npos) << refused.message();
}

TEST_F(InferenceEngineTest, AnAlphaThatMovesIsMixedAndIsWhatMaterialisingGives) {
  // Warms the caches up and has the costs of a forward measured.
  for (const double alpha : {0.0, 1.0, 0.5}) ASSERT_OK(Classify(Request(alpha)).status());
  ASSERT_OK_AND_ASSIGN(const auto tuned, blobs_.Get(blob_, model_->image_weights.shared_layout()));
  ClassifyRequest request = Request(0);
  ASSERT_OK_AND_ASSIGN(const data::RgbImage image,
                       data::PreprocessToPixels(request.images[0].encoded, model_->preprocess));
  std::vector<float> pixels(3 * 16 * 16);
  data::NormalizeToPlanar(image.pixels.data(), model_->preprocess, pixels.data());
  ASSERT_OK_AND_ASSIGN(const model::ZeroShotHead head,
                       model::MakeZeroShotHead(*model_, request.classes->classes(), {}));
  const tensor::WeightSet mixture(model_->image_weights.shared_layout(), tensor::Device());
  for (int step = 1; step < 40; ++step) {
    const double alpha = 0.011 * step;
    ASSERT_OK_AND_ASSIGN(const ClassifyResult result, Classify(Request(alpha)));
    const patch::WeightedCheckpoint term{&tuned, alpha};
    patch::Interpolate(model_->image_weights, {&term, 1}, mixture);
    const at::NoGradGuard no_grad;
    const at::Tensor features =
        model_->image_encoder->Forward(mixture.views(), at::from_blob(pixels.data(), {1, 3, 16, 16}));
    const auto expected = ScoreClasses(features, *head.embeddings, model_->logit_scale, {}, 0);
    for (size_t i = 0; i < expected[0].size(); ++i) {
      EXPECT_EQ(result.images[0][i].class_index, expected[0][i].class_index) << alpha;
      EXPECT_NEAR(result.images[0][i].cosine, expected[0][i].cosine, 1e-5) << alpha;
    }
  }
}

TEST_F(InferenceEngineTest, AnAutomaticAlphaLiesBetweenTheEndsAndIsAnsweredAtIt) {
  ClassifyRequest request = Request(1);
  data::RgbImage grey{20, 20, std::vector<uint8_t>(20 * 20 * 3, 128)};
  request.images.push_back({*data::EncodePng(grey), {}});
  ClassifyRequest same = request;
  request.auto_alpha = true;
  ASSERT_OK_AND_ASSIGN(const ClassifyResult result, Classify(std::move(request)));
  ASSERT_EQ(result.alphas.size(), 2u);
  EXPECT_NE(result.alphas[0], result.alphas[1]);
  for (size_t image = 0; image < 2; ++image) {
    EXPECT_GT(result.alphas[image], 0);
    EXPECT_LT(result.alphas[image], 1);
    ClassifyRequest at_alpha = same;
    at_alpha.mixture.terms = {{blob_, result.alphas[image]}};
    ASSERT_OK_AND_ASSIGN(const ClassifyResult expected, Classify(std::move(at_alpha)));
    EXPECT_NEAR(result.images[image][0].cosine, expected.images[image][0].cosine, 1e-5);
  }
  ClassifyRequest without = Request(0);
  without.auto_alpha = true;
  EXPECT_THAT(Classify(std::move(without)),
              FailsWith(absl::StatusCode::kInvalidArgument, "AUTO_ALPHA_WITHOUT_CHECKPOINT"));
  ClassifyRequest many = Request(1);
  many.auto_alpha = true;
  many.images.resize(65, many.images[0]);
  EXPECT_THAT(Classify(std::move(many)), FailsWith(absl::StatusCode::kInvalidArgument, "AUTO_ALPHA_TOO_MANY_IMAGES"));
}

TEST(AutoAlphaTest, TheSurerEndIsNearer) {
  EXPECT_DOUBLE_EQ(AutoAlpha(0.7, 0.7), 0.5);
  // exp(−0.5) / (exp(−2) + exp(−0.5))
  EXPECT_NEAR(AutoAlpha(2, 0.5), 0.8175744761936437, 1e-12);
  const std::vector<double> entropies = Entropies(torch::tensor({{0.0, 0.0, 0.0, 0.0}, {100.0, 0.0, 0.0, 0.0}}));
  EXPECT_NEAR(entropies[0], std::log(4.0), 1e-12);
  EXPECT_NEAR(entropies[1], 0, 1e-12);
}

}  // namespace
}  // namespace modelpatch::serve
