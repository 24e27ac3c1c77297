#include "client/report/variant.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string Lowered(const std::string& enumerator) {
  std::string text = enumerator.substr(enumerator.rfind('_') + 1);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "0.5"; of a message the number that makes it strong or weak.
std::string ValueText(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "on" : "off";
    case FieldDescriptor::CPPTYPE_ENUM:
      return Lowered(reflection.GetEnum(message, &field)->name());
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (!reflection.HasField(message, &field)) return "off";
      const Message& inner = reflection.GetMessage(message, &field);
      const FieldDescriptor* weight = inner.GetDescriptor()->FindFieldByName("weight");
      return weight == nullptr ? "on" : ValueText(inner, *weight);
    }
    default:
      return "";
  }
}

// What the end of a training does not depend on, or what is said elsewhere.
bool IsAside(const FieldDescriptor& field) {
  return field.name() == "seed" || field.name() == "snapshot_interval_steps" || field.name() == "ema_decay" ||
         field.name() == "validation_interval_steps";
}

std::string FieldText(const FieldDescriptor& field) {
  if (field.name() == "elastic_weight_consolidation") return "EWC";
  if (field.name() == "l2_penalty") return "L2";
  if (field.name() == "contrastive_mixing") return "contrastive loss";
  return absl::StrReplaceAll(field.name(), {{"_", " "}});
}

// What a fine-tuning does otherwise than another one: "learning rate 1e-05, L2 0.1".
std::string Difference(const v1::FineTuneOptions& options, const v1::FineTuneOptions& reference) {
  std::vector<std::string> parts;
  const auto& descriptor = *v1::FineTuneOptions::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    const std::string value = ValueText(options, field);
    if (IsAside(field) || value == ValueText(reference, field)) continue;
    parts.push_back(absl::StrCat(FieldText(field), " ", value));
  }
  return absl::StrJoin(parts, ", ");
}

// Of variants that patch in the same way.
void LabelVariants(const std::vector<Variant*>& variants) {
  const auto options = [](const Variant& variant) { return variant.jobs.front()->job.spec().fine_tune(); };
  std::map<std::string, int> count;
  for (Variant* variant : variants) {
    variant->difference = Difference(options(*variant), options(*variants.front()));
    if (!variant->difference.empty()) absl::StrAppend(&variant->label, ", ", variant->difference);
    ++count[variant->label];
  }
  for (Variant* variant : variants) {
    if (count[variant->label] > 1) absl::StrAppend(&variant->label, ", ", variant->jobs.front()->label);
  }
}

std::string TasksKey(const v1::PatchJobSpec& spec) {
  const auto sorted = [](const auto& names) {
    std::vector<std::string> result(names.begin(), names.end());
    std::sort(result.begin(), result.end());
    return absl::StrJoin(result, "\n");
  };
  return absl::StrCat(spec.model(), "\n\n", sorted(spec.patching_tasks()), "\n\n", sorted(spec.supported_tasks()));
}

}  // namespace

std::vector<JobPointers> ComparableJobs(const std::vector<ReportJob>& jobs) {
  std::vector<JobPointers> groups;
  std::map<std::string, size_t> group_of;
  for (const ReportJob& job : jobs) {
    const auto [it, is_new] = group_of.emplace(TasksKey(job.job.spec()), groups.size());
    if (is_new) groups.emplace_back();
    groups[it->second].push_back(&job);
  }
  return groups;
}

std::vector<Variant> VariantsOf(const JobPointers& jobs) {
  std::vector<Variant> variants;
  std::map<std::string, size_t> variant_of;
  for (const ReportJob* job : jobs) {
    v1::PatchJobSpec spec = WithoutSeeds(job->job.spec());
    // Checkpoints of jobs that differ in their seeds do so too.
    spec.clear_checkpoints();
    const auto [it, is_new] = variant_of.emplace(KeyOf(spec), variants.size());
    if (is_new) variants.push_back({MethodText(spec), "", {}});
    variants[it->second].jobs.push_back(job);
  }
  std::map<std::string, std::vector<Variant*>> by_method;
  for (Variant& variant : variants) by_method[variant.label].push_back(&variant);
  for (const auto& [method, same] : by_method) {
    if (same.size() > 1) LabelVariants(same);
  }
  return variants;
}

JobPointers JobsToDraw(const JobPointers& jobs, size_t most) {
  if (jobs.size() <= most) return jobs;
  JobPointers result;
  for (const Variant& variant : VariantsOf(jobs)) result.push_back(variant.jobs.front());
  if (result.size() > most) result.resize(most);
  return result;
}

std::string SearchText(const v1::PatchJobSpec& spec) {
  if (spec.strategy() != v1::STRATEGY_PARALLEL) return "line";
  switch (spec.merge().method_case()) {
    case v1::Merge::kTaskArithmetic:
      return "task arithmetic";
    case v1::Merge::kTies:
      return "TIES";
    case v1::Merge::kDare:
      return "DARE";
    case v1::Merge::kFisher:
      return "Fisher";
    case v1::Merge::kSlerp:
      return "slerp";
    case v1::Merge::METHOD_NOT_SET:
      break;
  }
  switch (spec.coefficient_search().method_case()) {
    case v1::CoefficientSearch::kExhaustive:
      return "exhaustive";
    case v1::CoefficientSearch::kBlackBox:
      return "black-box";
    case v1::CoefficientSearch::kGradient:
      return "gradient";
    case v1::CoefficientSearch::kUniform:
    case v1::CoefficientSearch::METHOD_NOT_SET:
      break;
  }
  return "uniform";
}

std::string MethodText(const v1::PatchJobSpec& spec) {
  const std::string strategy = StrategyName(spec.strategy());
  if (spec.strategy() != v1::STRATEGY_PARALLEL) return strategy;
  const auto& search = spec.coefficient_search();
  const char* group = "";
  if (search.gradient().group() == v1::COEFFICIENT_GROUP_BLOCK) group = " by block";
  if (search.gradient().group() == v1::COEFFICIENT_GROUP_LAYER) group = " by layer";
  return absl::StrCat(strategy, ", ", SearchText(spec), group, search.sum_at_most_one() ? ", sum at most 1" : "");
}

int64_t SeedOf(const v1::PatchJobSpec& spec) { return spec.fine_tune().seed(); }

v1::PatchJobSpec WithoutSeeds(v1::PatchJobSpec spec) {
  spec.mutable_fine_tune()->clear_seed();
  spec.clear_order_seed();
  if (spec.coefficient_search().has_black_box()) spec.mutable_coefficient_search()->mutable_black_box()->clear_seed();
  if (spec.coefficient_search().has_gradient()) spec.mutable_coefficient_search()->mutable_gradient()->clear_seed();
  if (spec.merge().has_dare()) spec.mutable_merge()->mutable_dare()->clear_seed();
  return spec;
}

std::string KeyOf(const v1::PatchJobSpec& spec) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace modelpatch::client::report
