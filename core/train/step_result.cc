#include "core/train/step_result.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/train/enum_names.h"

namespace modelpatch::train {
namespace {

using nlohmann::json;

constexpr std::pair<data::Split, std::string_view> kSplits[] = {
    {data::Split::kTrain, "train"}, {data::Split::kValidation, "validation"}, {data::Split::kTest, "test"}};
constexpr std::pair<patch::TaskRole, std::string_view> kRoles[] = {{patch::TaskRole::kPatching, "patching"},
                                                                   {patch::TaskRole::kSupported, "supported"}};
constexpr std::pair<ComparisonKind, std::string_view> kComparisonKinds[] = {
    {ComparisonKind::kUnpatched, "unpatched"},
    {ComparisonKind::kPatched, "patched"},
    {ComparisonKind::kFineTuned, "fine-tuned"},
    {ComparisonKind::kSpecialised, "specialised"},
    {ComparisonKind::kPatchedSoFar, "patched-so-far"},
    {ComparisonKind::kFineTunedSoFar, "fine-tuned-so-far"},
    {ComparisonKind::kSnapshot, "snapshot"},
    {ComparisonKind::kMovingAverage, "moving-average"},
    {ComparisonKind::kAverage, "average"}};

// Declared before the templates that call them.
json ToJson(const patch::TaskAccuracy&);
void Read(const json&, patch::TaskAccuracy&);
json ToJson(const patch::MixtureTerm&);
void Read(const json&, patch::MixtureTerm&);
json ToJson(const Snapshot&);
void Read(const json&, Snapshot&);
json ToJson(const CurvePoint&);
void Read(const json&, CurvePoint&);
json ToJson(const SearchedCandidate&);
void Read(const json&, SearchedCandidate&);
json ToJson(const SearchTotals&);
void Read(const json&, SearchTotals&);
json ToJson(const ComparedWeights&);
void Read(const json&, ComparedWeights&);
json ToJson(const patch::Interval&);
void Read(const json&, patch::Interval&);
json ToJson(const ClassCorrect&);
void Read(const json&, ClassCorrect&);
json ToJson(const TaskDetails&);
void Read(const json&, TaskDetails&);
json ToJson(const patch::ProxyChoice&);
void Read(const json&, patch::ProxyChoice&);
json ToJson(const patch::TradeOffMetrics&);
void Read(const json&, patch::TradeOffMetrics&);

// A list of structs, by the ToJson and Read of one.
template <typename Item>
json ListToJson(const std::vector<Item>& items) {
  json list = json::array();
  for (const Item& item : items) list.push_back(ToJson(item));
  return list;
}

template <typename Item>
void ReadList(const json& list, std::vector<Item>& items) {
  for (const json& object : list) Read(object, items.emplace_back());
}

json ToJson(const patch::TaskAccuracy& accuracy) {
  return {{"task", accuracy.task},
          {"role", NameIn(kRoles, accuracy.role)},
          {"split", NameIn(kSplits, accuracy.split)},
          {"correct", accuracy.correct},
          {"total", accuracy.total}};
}

void Read(const json& object, patch::TaskAccuracy& accuracy) {
  object.at("task").get_to(accuracy.task);
  accuracy.role = ValueIn(kRoles, object.at("role"));
  accuracy.split = ValueIn(kSplits, object.at("split"));
  object.at("correct").get_to(accuracy.correct);
  object.at("total").get_to(accuracy.total);
}

json ToJson(const patch::MixtureTerm& term) { return {{"blob", term.blob}, {"coefficient", term.coefficient}}; }

void Read(const json& object, patch::MixtureTerm& term) {
  object.at("blob").get_to(term.blob);
  object.at("coefficient").get_to(term.coefficient);
}

json ToJson(const Snapshot& snapshot) { return {{"step", snapshot.step}, {"blob", snapshot.blob}}; }

void Read(const json& object, Snapshot& snapshot) {
  object.at("step").get_to(snapshot.step);
  object.at("blob").get_to(snapshot.blob);
}

json ToJson(const CurvePoint& point) {
  return {{"alpha", point.alpha}, {"terms", ListToJson(point.terms)}, {"accuracies", ListToJson(point.accuracies)}};
}

void Read(const json& object, CurvePoint& point) {
  object.at("alpha").get_to(point.alpha);
  ReadList(object.at("terms"), point.terms);
  ReadList(object.at("accuracies"), point.accuracies);
}

json ToJson(const SearchedCandidate& candidate) {
  return {{"coefficients", candidate.coefficients}, {"accuracies", ListToJson(candidate.accuracies)}};
}

void Read(const json& object, SearchedCandidate& candidate) {
  object.at("coefficients").get_to(candidate.coefficients);
  ReadList(object.at("accuracies"), candidate.accuracies);
}

json ToJson(const SearchTotals& totals) {
  return {{"method", totals.method},
          {"evaluations", totals.evaluations},
          {"gradient_evaluations", totals.gradient_evaluations},
          {"seconds", totals.seconds},
          {"objective", totals.objective},
          {"uniform_objective", totals.uniform_objective},
          {"candidates", ListToJson(totals.candidates)}};
}

void Read(const json& object, SearchTotals& totals) {
  object.at("method").get_to(totals.method);
  object.at("evaluations").get_to(totals.evaluations);
  object.at("gradient_evaluations").get_to(totals.gradient_evaluations);
  object.at("seconds").get_to(totals.seconds);
  object.at("objective").get_to(totals.objective);
  object.at("uniform_objective").get_to(totals.uniform_objective);
  ReadList(object.at("candidates"), totals.candidates);
}

json ToJson(const ComparedWeights& compared) {
  return {{"kind", NameIn(kComparisonKinds, compared.kind)},
          {"terms", ListToJson(compared.terms)},
          {"after", compared.after},
          {"training_step", compared.training_step},
          {"accuracies", ListToJson(compared.accuracies)}};
}

void Read(const json& object, ComparedWeights& compared) {
  compared.kind = ValueIn(kComparisonKinds, object.at("kind"));
  ReadList(object.at("terms"), compared.terms);
  object.at("after").get_to(compared.after);
  object.at("training_step").get_to(compared.training_step);
  ReadList(object.at("accuracies"), compared.accuracies);
}

json ToJson(const patch::Interval& interval) { return json::array({interval.low, interval.high}); }

void Read(const json& pair, patch::Interval& interval) {
  pair.at(0).get_to(interval.low);
  pair.at(1).get_to(interval.high);
}

json ToJson(const ClassCorrect& one) { return json::array({one.total, one.zero_shot, one.patched, one.fine_tuned}); }

void Read(const json& counts, ClassCorrect& one) {
  counts.at(0).get_to(one.total);
  counts.at(1).get_to(one.zero_shot);
  counts.at(2).get_to(one.patched);
  counts.at(3).get_to(one.fine_tuned);
}

json ToJson(const TaskDetails& details) {
  return {{"task", details.task},
          {"zero_shot", ToJson(details.zero_shot)},
          {"patched", ToJson(details.patched)},
          {"fine_tuned", ToJson(details.fine_tuned)},
          {"gain", ToJson(details.gain)},
          {"class_names", details.class_names},
          {"classes", ListToJson(details.classes)}};
}

void Read(const json& object, TaskDetails& details) {
  object.at("task").get_to(details.task);
  Read(object.at("zero_shot"), details.zero_shot);
  Read(object.at("patched"), details.patched);
  Read(object.at("fine_tuned"), details.fine_tuned);
  Read(object.at("gain"), details.gain);
  object.at("class_names").get_to(details.class_names);
  ReadList(object.at("classes"), details.classes);
}

json ToJson(const patch::ProxyChoice& choice) {
  return {{"chosen_by", choice.chosen_by},
          {"alpha", choice.alpha},
          {"evaluated_on", choice.evaluated_on},
          {"accuracy", choice.accuracy},
          {"cost", choice.cost}};
}

void Read(const json& object, patch::ProxyChoice& choice) {
  object.at("chosen_by").get_to(choice.chosen_by);
  object.at("alpha").get_to(choice.alpha);
  object.at("evaluated_on").get_to(choice.evaluated_on);
  object.at("accuracy").get_to(choice.accuracy);
  object.at("cost").get_to(choice.cost);
}

json ToJson(const patch::TradeOffMetrics& metrics) {
  return {{"distance_to_optimal", metrics.distance_to_optimal},
          {"distance_to_endpoints", metrics.distance_to_endpoints},
          {"path_correction_cost", metrics.path_correction_cost}};
}

void Read(const json& object, patch::TradeOffMetrics& metrics) {
  object.at("distance_to_optimal").get_to(metrics.distance_to_optimal);
  object.at("distance_to_endpoints").get_to(metrics.distance_to_endpoints);
  object.at("path_correction_cost").get_to(metrics.path_correction_cost);
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
  ReadList(object.at("start"), result.start);
  ReadList(object.at("snapshots"), result.snapshots);
  object.at("average_blob").get_to(result.average_blob);
  object.at("fisher_blob").get_to(result.fisher_blob);
  object.at("model_digest").get_to(result.model_digest);
  object.at("layout_digest").get_to(result.layout_digest);
  object.at("task_digests").get_to(result.task_digests);
  object.at("steps").get_to(result.steps);
  object.at("final_loss").get_to(result.final_loss);
  object.at("seconds").get_to(result.seconds);
  object.at("images_per_second").get_to(result.images_per_second);
  ReadList(object.at("validation"), result.validation);
  ReadList(object.at("learned_head_validation"), result.learned_head_validation);
  return result;
}

SearchResult ParseSearchResult(const json& object) {
  SearchResult result;
  ReadList(object.at("terms"), result.terms);
  object.at("alpha").get_to(result.alpha);
  object.at("blobs").get_to(result.blobs);
  object.at("merged_blob").get_to(result.merged_blob);
  ReadList(object.at("curve"), result.curve);
  Read(object.at("search"), result.search);
  object.at("task_digests").get_to(result.task_digests);
  object.at("seconds").get_to(result.seconds);
  ReadList(object.at("comparisons"), result.comparisons);
  ReadList(object.at("details"), result.details);
  Read(object.at("trade_off"), result.trade_off);
  object.at("weight_cosine").get_to(result.weight_cosine);
  object.at("weight_mean_absolute_difference").get_to(result.weight_mean_absolute_difference);
  object.at("cka").get_to(result.cka);
  ReadList(object.at("proxy_choices"), result.proxy_choices);
  return result;
}

}  // namespace

std::string FineTuneResultToJson(const FineTuneResult& result) {
  return json({{"version", 2},
               {"blob", result.blob},
               {"start", ListToJson(result.start)},
               {"snapshots", ListToJson(result.snapshots)},
               {"average_blob", result.average_blob},
               {"fisher_blob", result.fisher_blob},
               {"model_digest", result.model_digest},
               {"layout_digest", result.layout_digest},
               {"task_digests", result.task_digests},
               {"steps", result.steps},
               {"final_loss", result.final_loss},
               {"seconds", result.seconds},
               {"images_per_second", result.images_per_second},
               {"validation", ListToJson(result.validation)},
               {"learned_head_validation", ListToJson(result.learned_head_validation)}})
      .dump(2);
}

absl::StatusOr<FineTuneResult> FineTuneResultFromJson(std::string_view text) {
  return Parse(text, &ParseFineTuneResult);
}

std::string SearchResultToJson(const SearchResult& result) {
  return json({{"version", 2},
               {"terms", ListToJson(result.terms)},
               {"alpha", result.alpha},
               {"blobs", result.blobs},
               {"merged_blob", result.merged_blob},
               {"curve", ListToJson(result.curve)},
               {"search", ToJson(result.search)},
               {"task_digests", result.task_digests},
               {"seconds", result.seconds},
               {"comparisons", ListToJson(result.comparisons)},
               {"details", ListToJson(result.details)},
               {"trade_off", ToJson(result.trade_off)},
               {"weight_cosine", result.weight_cosine},
               {"weight_mean_absolute_difference", result.weight_mean_absolute_difference},
               {"cka", result.cka},
               {"proxy_choices", ListToJson(result.proxy_choices)}})
      .dump(2);
}

absl::StatusOr<SearchResult> SearchResultFromJson(std::string_view text) { return Parse(text, &ParseSearchResult); }

}  // namespace modelpatch::train
