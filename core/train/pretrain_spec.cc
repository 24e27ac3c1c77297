#include "core/train/pretrain_spec.h"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/data/task_source.h"

namespace modelpatch::train {
namespace {

using nlohmann::json;

// Reads members by name; a member that nobody reads is an error.
using Readers = std::map<std::string, std::function<void(const json&)>>;

template <typename T>
std::function<void(const json&)> Into(T& target) {
  return [&target](const json& value) { value.get_to(target); };
}

absl::Status ReadMembers(const json& object, const Readers& readers) {
  for (const auto& [name, value] : object.items()) {
    const auto reader = readers.find(name);
    if (reader == readers.end()) {
      return base::InvalidArgument("BAD_PRETRAIN_SPEC",
                                   fmt::format("'{}' is not a member of the spec; check its spelling", name));
    }
    try {
      reader->second(value);
    } catch (const json::exception& error) {
      return base::InvalidArgument("BAD_PRETRAIN_SPEC", fmt::format("'{}': {}", name, error.what()));
    }
  }
  return absl::OkStatus();
}

std::string Resolve(const std::string& path, const std::string& directory) {
  return path.empty() ? path : (std::filesystem::path(directory) / path).string();
}

absl::StatusOr<PretrainTask> ParseTask(const json& object, const std::string& directory) {
  PretrainTask task;
  json source;
  MP_RETURN_IF_ERROR(ReadMembers(object, {{"name", Into(task.name)},
                                          {"source", [&](const json& value) { source = value; }},
                                          {"maximum_examples", Into(task.maximum_examples)},
                                          {"flip", Into(task.flip)}}));
  MP_ASSIGN_OR_RETURN(task.source, data::TaskSourceFromJson(source.dump()));
  for (std::string* path : {&task.source.train, &task.source.validation, &task.source.test})
    *path = Resolve(*path, directory);
  return task;
}

}  // namespace

absl::StatusOr<PretrainSpec> ParsePretrainSpec(std::string_view text, const std::string& directory) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return base::InvalidArgument("BAD_PRETRAIN_SPEC", "the spec is not a JSON object");
  PretrainSpec spec;
  json tasks = json::array();
  MP_RETURN_IF_ERROR(ReadMembers(object, {{"image_size", Into(spec.image_size)},
                                          {"patch_size", Into(spec.patch_size)},
                                          {"width", Into(spec.width)},
                                          {"layers", Into(spec.layers)},
                                          {"heads", Into(spec.heads)},
                                          {"text_width", Into(spec.text_width)},
                                          {"text_layers", Into(spec.text_layers)},
                                          {"text_heads", Into(spec.text_heads)},
                                          {"context_length", Into(spec.context_length)},
                                          {"embedding_width", Into(spec.embedding_width)},
                                          {"merges", Into(spec.merges)},
                                          {"tasks", [&](const json& value) { tasks = value; }},
                                          {"epochs", Into(spec.epochs)},
                                          {"batch_size", Into(spec.batch_size)},
                                          {"learning_rate", Into(spec.learning_rate)},
                                          {"warmup_steps", Into(spec.warmup_steps)},
                                          {"weight_decay", Into(spec.weight_decay)},
                                          {"seed", Into(spec.seed)},
                                          {"dtype", Into(spec.dtype)}}));
  for (const json& task_object : tasks) {
    MP_ASSIGN_OR_RETURN(PretrainTask task, ParseTask(task_object, directory));
    spec.tasks.push_back(std::move(task));
  }
  if (spec.tasks.empty())
    return base::InvalidArgument("BAD_PRETRAIN_SPEC", "the spec names no tasks; give at least one");
  return spec;
}

}  // namespace modelpatch::train
