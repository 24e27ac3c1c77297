#include "server/services/model_service.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_loader.h"
#include "core/model/weight_index.h"
#include "core/tensor/safetensors_header.h"
#include "server/checkpoint_weights.h"
#include "server/copy_files.h"
#include "server/export_path.h"
#include "server/model_card.h"
#include "server/model_export.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/services/listing.h"
#include "server/version.h"

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
  return model::CheckModelBeforeWeights(destination, names, tensors);
}

// Copies the files that make a model, the weights last and only if the others and their headers can be right.
absl::Status CopyModel(const RootPaths& roots, const std::string& source, const std::string& destination,
                       bool allow_unverified_family, const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const model::ModelFileNames names, model::ChooseFilesIn(source));
  for (const std::string& name : names.texts) {
    MP_RETURN_IF_ERROR(
        CopyFile(roots, source + "/" + name, destination + "/" + name, cancellation, model::kMaximumModelTextBytes));
  }
  if (!allow_unverified_family) MP_RETURN_IF_ERROR(model::CheckFamilyIsVerified(destination, names));
  MP_ASSIGN_OR_RETURN(const model::WeightFilePlan plan, model::PlanWeightFiles(destination, names));
  MP_RETURN_IF_ERROR(WithPathShownAs(CheckWeights(roots, source, destination, names, plan), destination, source));
  for (const std::string& name : plan.files) {
    MP_RETURN_IF_ERROR(CopyFile(roots, source + "/" + name, destination + "/" + name, cancellation));
  }
  return absl::OkStatus();
}

std::string ArchitectureOf(const model::ModelConfig& config) {
  if (config.is_siglip()) return "siglip";
  return config.vision.is_resnet() ? "modified-resnet" : "vit";
}

v1::Model Describe(const model::ClipModel& loaded) {
  v1::Model message;
  message.set_digest(loaded.digest);
  message.set_layout_digest(loaded.image_weights.layout().digest());
  message.set_architecture(ArchitectureOf(loaded.config));
  message.set_image_size_pixels(static_cast<int32_t>(loaded.config.vision.image_size));
  message.set_patch_size_pixels(static_cast<int32_t>(loaded.config.vision.patch_size));
  message.set_embedding_dimension(static_cast<int32_t>(loaded.config.embedding_width));
  message.set_context_length_tokens(static_cast<int32_t>(loaded.config.text.context_length));
  message.set_vocabulary_size(static_cast<int32_t>(loaded.config.text.vocabulary_size));
  message.set_logit_scale(loaded.logit_scale);
  if (loaded.logit_bias.has_value()) message.set_logit_bias(*loaded.logit_bias);
  message.set_image_encoder_parameters(loaded.image_weights.layout().parameter_count());
  message.set_text_encoder_parameters(loaded.text_weights.layout().parameter_count());
  return message;
}

}  // namespace

grpc::ServerUnaryReactor* ModelService::ImportModel(grpc::CallbackServerContext* context,
                                                    const v1::ImportModelRequest* request, v1::Model* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return Import(*request, call.cancellation(), response); });
}

grpc::ServerUnaryReactor* ModelService::GetModel(grpc::CallbackServerContext* context,
                                                 const v1::GetModelRequest* request, v1::Model* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    const auto id = ParseResourceName(kModels, request->name());
    if (!id.ok()) return base::WithField(id.status(), "name");
    MP_ASSIGN_OR_RETURN(const store::ModelRecord record, context_.metadata.GetModel(*id));
    MP_ASSIGN_OR_RETURN(*response, ToMessage(record));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto page, context_.metadata.ListModels({request->page_size(), request->page_token()}));
    for (const store::ModelRecord& record : page.records) {
      MP_ASSIGN_OR_RETURN(*response->add_models(), ToMessage(record));
    }
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelService::DeleteModel(grpc::CallbackServerContext* context,
                                                    const v1::DeleteModelRequest* request, google::protobuf::Empty*) {
  return RunOn(context_.slow, *context, [=, this](const UnaryCall&) { return Delete(request->name()); });
}

grpc::ServerUnaryReactor* ModelService::ExportModel(grpc::CallbackServerContext* context,
                                                    const v1::ExportModelRequest* request,
                                                    v1::ExportModelResponse* response) {
  return RunOn(context_.slow, *context, [=, this](const UnaryCall&) { return Export(*request, response); });
}

absl::Status ModelService::Import(const v1::ImportModelRequest& request, const base::CancellationToken& cancellation,
                                  v1::Model* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.model_id(), "model_id", request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  const auto repeated = [&] {
    return AnswerRepeated(kModels, context_.metadata.GetModel(request.model_id()), key, response);
  };
  if (const auto answer = repeated()) return *answer;
  const auto source = context_.import_roots.Resolve(request.path());
  if (!source.ok()) return base::WithField(source.status(), "path");
  if (std::error_code error; !std::filesystem::is_directory(*source, error)) {
    return base::WithField(
        base::InvalidArgument("NOT_A_DIRECTORY",
                              fmt::format("'{}' is not a directory; give the model's directory", *source)),
        "path");
  }

  MP_ASSIGN_OR_RETURN(const std::unique_ptr<StagedDirectory> staged, context_.models.Stage());
  if (const absl::Status copied =
          CopyModel(context_.import_roots, *source, staged->path(), request.allow_unverified_family(), cancellation);
      !copied.ok()) {
    return base::WithField(copied, "path");
  }
  // The copy is loaded, not the original: what was checked is what is kept.
  const std::string staged_path = staged->path();
  store::ModelRecord record;
  v1::Model message;
  {
    const auto loaded = model::LoadModel(staged_path, tensor::Device(), cancellation);
    if (!loaded.ok()) return base::WithField(WithPathShownAs(loaded.status(), staged_path, *source), "path");
    message = Describe(**loaded);
  }
  message.set_source_path(*source);
  message.set_size_bytes(DirectoryBytes(staged_path));
  record.id = request.model_id();
  record.digest = message.digest();
  record.details_json = ToRecordJson(message, key);
  record.create_time = context_.clock.Now();

  base::MutexLock lock(context_.models.mutex());
  MP_RETURN_IF_ERROR(context_.models.Publish(*staged, record.digest));
  if (const absl::Status inserted = context_.metadata.InsertModel(record); !inserted.ok()) {
    const auto in_use = InUse(record.digest);
    if (in_use.ok() && !*in_use) (void)context_.models.Remove(record.digest);
    // The same call may have been made twice at a time, and the other one was faster.
    return repeated().value_or(inserted);
  }
  context_.log.Info("model imported", {{"model", record.id}, {"digest", record.digest}, {"path", *source}});
  MP_ASSIGN_OR_RETURN(*response, ToMessage(record));
  return absl::OkStatus();
}

absl::Status ModelService::Delete(const std::string& name) {
  const auto id = ParseResourceName(kModels, name);
  if (!id.ok()) return base::WithField(id.status(), "name");
  base::MutexLock lock(context_.models.mutex());
  MP_ASSIGN_OR_RETURN(const store::ModelRecord record, context_.metadata.GetModel(*id));
  MP_RETURN_IF_ERROR(context_.metadata.DeleteModel(*id));
  MP_ASSIGN_OR_RETURN(const bool in_use, InUse(record.digest));
  if (!in_use) {
    context_.engine.EvictModel(context_.models.PathOf(record.digest));
    MP_RETURN_IF_ERROR(context_.models.Remove(record.digest));
  }
  context_.log.Info("model deleted", {{"model", *id}});
  return absl::OkStatus();
}

absl::Status ModelService::Export(const v1::ExportModelRequest& request, v1::ExportModelResponse* response) {
  if (!v1::ExportLayout_IsValid(request.layout())) {
    return base::WithField(
        base::InvalidArgument("BAD_LAYOUT", fmt::format("{} is no layout", static_cast<int>(request.layout()))),
        "layout");
  }
  const auto path = ResolveExportPath(context_.options.export_root, request.path());
  if (!path.ok()) return base::WithField(path.status(), "path");
  const auto resolution = context_.resolver.Resolve(request.mixture());
  if (!resolution.ok()) return base::WithField(resolution.status(), "mixture");
  MP_ASSIGN_OR_RETURN(const v1::Model description, ToMessage(resolution->model));
  std::vector<v1::Checkpoint> checkpoints;
  for (const v1::MixtureTerm& term : resolution->message.terms()) {
    MP_ASSIGN_OR_RETURN(const store::CheckpointRecord record, context_.resolver.FindCheckpoint(term.checkpoint()));
    MP_ASSIGN_OR_RETURN(checkpoints.emplace_back(), ToMessage(record));
  }
  const serve::ResolvedMixture& mixture = resolution->mixture;
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(mixture.model_directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet weights, MergeWeights(*model, mixture.terms, context_.blobs));
  const std::string card = ModelCard(description, resolution->message, checkpoints, request.layout(), Version());
  MP_RETURN_IF_ERROR(WriteExport(*path, request.layout(), *model, mixture.model_directory, weights, card));
  context_.log.Info("model exported", {{"model", resolution->model.id}, {"path", *path}});
  response->set_path(*path);
  response->set_size_bytes(DirectoryBytes(*path));
  *response->mutable_mixture() = resolution->message;
  return absl::OkStatus();
}

absl::StatusOr<bool> ModelService::InUse(const std::string& digest) {
  return AnyRecord<store::ModelRecord>(
      [this](const store::PageRequest& page) { return context_.metadata.ListModels(page); },
      [&](const store::ModelRecord& record) { return record.digest == digest; });
}

}  // namespace modelpatch::server
