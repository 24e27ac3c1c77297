#include "server/model_copy.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/model/open_clip_config.h"
#include "core/model/weight_index.h"
#include "core/tensor/safetensors_header.h"
#include "server/content_directory.h"
#include "server/copy_files.h"

namespace modelpatch::server {
namespace {

absl::StatusOr<tensor::SafetensorsHeader> ReadHeader(const RootPaths& roots, const std::string& path) {
  constexpr uint64_t kLengthBytes = 8;
  MP_ASSIGN_OR_RETURN(const FileBeginning length, ReadBeginning(roots, path, kLengthBytes));
  MP_ASSIGN_OR_RETURN(const uint64_t count, tensor::SafetensorsPrefixBytes(length.bytes, length.file_bytes));
  MP_ASSIGN_OR_RETURN(const FileBeginning beginning, ReadBeginning(roots, path, count));
  auto header = tensor::ParseSafetensorsHeader(beginning.bytes, beginning.file_bytes);
  if (!header.ok()) return base::WithContext(header.status(), "'" + path + "'");
  return header;
}

// Checks what the headers of the weight files in `source` say, beside the small files already in `destination`.
absl::Status CheckWeights(const RootPaths& roots, const std::string& source, const std::string& destination,
                          const model::ModelFileNames& names, const model::WeightFilePlan& plan) {
  model::TensorTable tensors;
  for (const std::string& file : plan.files) {
    // The directory of a zip archive stands at its end: it is read with the rest, from the copy.
    if (!model::IsSafetensors(file)) return absl::OkStatus();
    const std::string path = source + "/" + file;
    const auto header = ReadHeader(roots, path);
    if (header.status().code() == absl::StatusCode::kNotFound) {
      return base::InvalidArgument("MODEL_FILE_MISSING", fmt::format("there is no '{}'", path));
    }
    MP_RETURN_IF_ERROR(header.status());
    MP_RETURN_IF_ERROR(tensors.Add(*header));
  }
  MP_RETURN_IF_ERROR(model::CheckIndex(plan, tensors));
  tensors.StripWrappers();
  return model::CheckModelBeforeWeights(destination, names, tensors);
}

absl::Status CopyTexts(const RootPaths& roots, const std::string& source, const std::string& destination,
                       const model::ModelFileNames& names, const base::CancellationToken& cancellation) {
  for (const std::string& name : names.texts) {
    MP_RETURN_IF_ERROR(
        CopyFile(roots, source + "/" + name, destination + "/" + name, cancellation, model::kMaximumModelTextBytes));
  }
  return absl::OkStatus();
}

// The same model with the config of `architecture` beside it, in OpenCLIP's layout.
absl::Status CopyNamedArchitecture(const RootPaths& roots, const std::string& source, const std::string& destination,
                                   const model::ModelFileNames& names, const model::ModelConfig& architecture,
                                   const base::CancellationToken& cancellation) {
  if (names.config != model::ConfigSource::kShapes) {
    return base::InvalidArgument("ARCHITECTURE_NOT_NEEDED",
                                 fmt::format("'{}' has the model's config; leave the architecture out", source));
  }
  model::OpenClipConfig config;
  config.model = architecture;
  config.preprocess.image_size = config.model.vision.image_size;
  MP_ASSIGN_OR_RETURN(const std::string config_json, model::WriteOpenClipConfig(config));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(destination + "/open_clip_config.json", config_json));
  MP_RETURN_IF_ERROR(CopyTexts(roots, source, destination, names, cancellation));
  return CopyFile(roots, source + "/" + names.weights,
                  destination + "/" + std::string(model::OpenClipWeightName(names.weights)), cancellation);
}

}  // namespace

absl::Status CopyModel(const RootPaths& roots, const std::string& source, const std::string& destination,
                       const ModelCopyOptions& options, const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const model::ModelFileNames names, model::ChooseFilesIn(source));
  if (options.architecture.has_value()) {
    return CopyNamedArchitecture(roots, source, destination, names, *options.architecture, cancellation);
  }
  MP_RETURN_IF_ERROR(CopyTexts(roots, source, destination, names, cancellation));
  if (!options.allow_unverified_family) MP_RETURN_IF_ERROR(model::CheckFamilyIsVerified(destination, names));
  MP_ASSIGN_OR_RETURN(const model::WeightFilePlan plan, model::PlanWeightFiles(destination, names));
  MP_RETURN_IF_ERROR(WithPathShownAs(CheckWeights(roots, source, destination, names, plan), destination, source));
  for (const std::string& name : plan.files) {
    MP_RETURN_IF_ERROR(CopyFile(roots, source + "/" + name, destination + "/" + name, cancellation));
  }
  return absl::OkStatus();
}

absl::Status CopyCheckpoint(const RootPaths& roots, const std::string& source, const std::string& destination,
                            const base::CancellationToken& cancellation) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(source, ignored)) {
    const std::string name = std::filesystem::path(source).filename().string();
    if (!model::IsWeightFile(name)) {
      return base::InvalidArgument(
          "MODEL_FILE_MISSING",
          fmt::format("'{}' is neither a directory nor a weight file (.safetensors, .pt, .pth or .bin)", source));
    }
    return CopyFile(roots, source, destination + "/" + name, cancellation);
  }
  MP_ASSIGN_OR_RETURN(const model::ModelFileNames names, model::ChooseCheckpointFilesIn(source));
  MP_RETURN_IF_ERROR(CopyTexts(roots, source, destination, names, cancellation));
  MP_ASSIGN_OR_RETURN(const model::WeightFilePlan plan, model::PlanWeightFiles(destination, names));
  for (const std::string& name : plan.files) {
    MP_RETURN_IF_ERROR(CopyFile(roots, source + "/" + name, destination + "/" + name, cancellation));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::server
