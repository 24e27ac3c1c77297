// Patching metrics against the reference's figures.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/model/model_loader.h"
#include "core/patch/trade_off_metrics.h"
#include "core/patch/weight_metrics.h"
#include "tests/golden/golden_tensors.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch {
namespace {

using testing::GoldenTensors;

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream stream(path);
  return nlohmann::json::parse(stream);
}

TEST(MetricsGoldenTest, Curves) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden/metrics");
  const nlohmann::json golden = ReadJson(root + "/metrics_golden.json");
  for (const auto& curve : golden.at("curves")) {
    std::vector<patch::TradeOffPoint> points;
    for (size_t i = 0; i < curve.at("alpha").size(); ++i) {
      points.push_back({curve.at("alpha")[i], curve.at("supported")[i], curve.at("patching")[i]});
    }
    ASSERT_OK_AND_ASSIGN(const patch::TradeOffMetrics metrics, patch::ComputeTradeOffMetrics(points));
    const std::string name = curve.at("name");
    EXPECT_NEAR(metrics.distance_to_optimal, curve.at("distance_to_optimal").get<double>(), 1e-9) << name;
    EXPECT_NEAR(metrics.distance_to_endpoints, curve.at("distance_to_endpoints").get<double>(), 1e-9) << name;
    EXPECT_NEAR(metrics.path_correction_cost, curve.at("path_correction_cost").get<double>(), 1e-9) << name;
  }
}

TEST(MetricsGoldenTest, LinearCka) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden/metrics");
  const GoldenTensors inputs(root + "/metrics_inputs.safetensors");
  const nlohmann::json golden = ReadJson(root + "/metrics_golden.json");
  for (const auto& entry : golden.at("cka")) {
    const double cka = patch::LinearCka(inputs.Get(entry.at("A")), inputs.Get(entry.at("B")));
    EXPECT_NEAR(cka, entry.at("cka").get<double>(), 1e-5) << entry.at("name");
  }
}

TEST(MetricsGoldenTest, WeightSimilarity) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden/metrics");
  const GoldenTensors inputs(root + "/metrics_inputs.safetensors");
  const nlohmann::json golden = ReadJson(root + "/metrics_golden.json");
  for (const auto& entry : golden.at("weight_similarity")) {
    if (!entry.contains("a")) continue;  // the whole-model entries, below
    const at::Tensor a = inputs.Get(entry.at("a"));
    const patch::WeightSimilarity similarity = patch::CompareWeights(a, inputs.Get(entry.at("b")), a.numel());
    EXPECT_NEAR(similarity.cosine, entry.at("cosine").get<double>(), 1e-6) << entry.at("name");
    EXPECT_NEAR(similarity.mean_absolute_difference, entry.at("mean_abs_diff").get<double>(), 1e-6) << entry.at("name");
  }
}

TEST(MetricsGoldenTest, WeightSimilarityOfWholeModels) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(root + "/models/a_vit/hf", tensor::Device(), {}));
  const GoldenTensors final_visual(root + "/train/a_vit/final_visual.safetensors");
  const tensor::WeightSet fine_tuned(model->image_weights.shared_layout(), tensor::Device());
  for (size_t i = 0; i < fine_tuned.views().size(); ++i) {
    at::Tensor view = fine_tuned.views()[i];
    view.copy_(final_visual.Get(fine_tuned.layout().weights()[i].spec.name));
  }
  const nlohmann::json golden = ReadJson(root + "/metrics/metrics_golden.json");
  for (const auto& entry : golden.at("weight_similarity")) {
    if (!entry.contains("n") || entry.at("n") != fine_tuned.layout().parameter_count()) continue;
    const patch::WeightSimilarity similarity =
        patch::CompareWeights(model->image_weights.flat(), fine_tuned.flat(), fine_tuned.layout().parameter_count());
    EXPECT_NEAR(similarity.cosine, entry.at("cosine").get<double>(), 1e-6);
    EXPECT_NEAR(similarity.mean_absolute_difference, entry.at("mean_abs_diff").get<double>(), 1e-6);
    return;
  }
  FAIL() << "the golden file has no entry for the whole image tower";
}

}  // namespace
}  // namespace modelpatch
