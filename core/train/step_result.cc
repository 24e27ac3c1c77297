#include "core/train/step_result.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace modelpatch::train {
namespace {

using nlohmann::json;

constexpr std::pair<data::Split, std::string_view> kSplitNames[] = {
    {data::Split::kTrain, "train"}, {data::Split::kValidation, "validation"}, {data::Split::kTest, "test"}};

std::string_view NameOfSplit(data::Split split) {
  for (const auto& [value, name] : kSplitNames) {
    if (value == split) return name;
  }
  return "test";
}

data::Split SplitOfName(std::string_view name) {
  for (const auto& [value, known] : kSplitNames) {
    if (known == name) return value;
  }
  return data::Split::kTest;
}

json ToJson(const std::vector<patch::AlphaAccuracies>& points) {
  json list = json::array();
  for (const patch::AlphaAccuracies& point : points) {
    json accuracies = json::array();
    for (const patch::TaskAccuracy& accuracy : point.accuracies) {
      accuracies.push_back({{"task", accuracy.task},
                            {"role", patch::NameOf(accuracy.role)},
                            {"split", NameOfSplit(accuracy.split)},
                            {"correct", accuracy.correct},
                            {"total", accuracy.total}});
    }
    list.push_back({{"alpha", point.alpha}, {"accuracies", std::move(accuracies)}});
  }
  return list;
}

std::vector<patch::AlphaAccuracies> PointsFromJson(const json& list) {
  std::vector<patch::AlphaAccuracies> points;
  for (const json& object : list) {
    patch::AlphaAccuracies point{object.at("alpha").get<double>(), {}};
    for (const json& accuracy : object.at("accuracies")) {
      const bool is_patching = accuracy.at("role").get<std::string>() == patch::NameOf(patch::TaskRole::kPatching);
      point.accuracies.push_back({accuracy.at("task").get<std::string>(),
                                  is_patching ? patch::TaskRole::kPatching : patch::TaskRole::kSupported,
                                  SplitOfName(accuracy.at("split").get<std::string>()),
                                  accuracy.at("correct").get<int64_t>(), accuracy.at("total").get<int64_t>()});
    }
    points.push_back(std::move(point));
  }
  return points;
}

// Runs `parse` on the object that `text` holds; a wrong type or a missing member is an error.
template <typename Result>
absl::StatusOr<Result> Parse(std::string_view text, Result (*parse)(const json&)) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return base::DataLoss("BAD_STEP_RESULT", "the step's result is not a JSON object");
  try {
    return parse(object);
  } catch (const json::exception& error) {
    return base::DataLoss("BAD_STEP_RESULT",
                          fmt::format("the step's result is not one of this version: {}", error.what()));
  }
}

FineTuneResult ParseFineTuneResult(const json& object) {
  FineTuneResult result;
  object.at("blob").get_to(result.blob);
  object.at("model_digest").get_to(result.model_digest);
  object.at("layout_digest").get_to(result.layout_digest);
  object.at("task_digest").get_to(result.task_digest);
  object.at("steps").get_to(result.steps);
  object.at("final_loss").get_to(result.final_loss);
  object.at("seconds").get_to(result.seconds);
  object.at("images_per_second").get_to(result.images_per_second);
  object.at("validation_accuracy").get_to(result.validation_accuracy);
  // A worker that was started before these were counted does not write them.
  result.validation_correct = object.value("validation_correct", int64_t{0});
  result.validation_total = object.value("validation_total", int64_t{0});
  return result;
}

SearchResult ParseSearchResult(const json& object) {
  SearchResult result;
  object.at("alpha").get_to(result.alpha);
  result.validation = PointsFromJson(object.at("validation"));
  result.test = PointsFromJson(object.at("test"));
  object.at("distance_to_optimal").get_to(result.trade_off.distance_to_optimal);
  object.at("distance_to_endpoints").get_to(result.trade_off.distance_to_endpoints);
  object.at("path_correction_cost").get_to(result.trade_off.path_correction_cost);
  object.at("weight_cosine").get_to(result.weight_cosine);
  object.at("weight_mean_absolute_difference").get_to(result.weight_mean_absolute_difference);
  object.at("cka").get_to(result.cka);
  object.at("task_digests").get_to(result.task_digests);
  object.at("seconds").get_to(result.seconds);
  return result;
}

}  // namespace

std::string FineTuneResultToJson(const FineTuneResult& result) {
  return json({{"version", 1},
               {"blob", result.blob},
               {"model_digest", result.model_digest},
               {"layout_digest", result.layout_digest},
               {"task_digest", result.task_digest},
               {"steps", result.steps},
               {"final_loss", result.final_loss},
               {"seconds", result.seconds},
               {"images_per_second", result.images_per_second},
               {"validation_accuracy", result.validation_accuracy},
               {"validation_correct", result.validation_correct},
               {"validation_total", result.validation_total}})
      .dump(2);
}

absl::StatusOr<FineTuneResult> FineTuneResultFromJson(std::string_view text) {
  return Parse(text, &ParseFineTuneResult);
}

std::string SearchResultToJson(const SearchResult& result) {
  return json({{"version", 1},
               {"alpha", result.alpha},
               {"validation", ToJson(result.validation)},
               {"test", ToJson(result.test)},
               {"distance_to_optimal", result.trade_off.distance_to_optimal},
               {"distance_to_endpoints", result.trade_off.distance_to_endpoints},
               {"path_correction_cost", result.trade_off.path_correction_cost},
               {"weight_cosine", result.weight_cosine},
               {"weight_mean_absolute_difference", result.weight_mean_absolute_difference},
               {"cka", result.cka},
               {"task_digests", result.task_digests},
               {"seconds", result.seconds}})
      .dump(2);
}

absl::StatusOr<SearchResult> SearchResultFromJson(std::string_view text) { return Parse(text, &ParseSearchResult); }

}  // namespace modelpatch::train
