#include "server/services/model_service.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_loader.h"
#include "core/model/named_architectures.h"
#include "core/model/random_model.h"
#include "server/checkpoint_weights.h"
#include "server/export_path.h"
#include "server/job_messages.h"
#include "server/measured_accuracies.h"
#include "server/model_copy.h"
#include "server/model_export.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/services/listing.h"
#include "server/status_conversion.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

std::string ArchitectureOf(const model::ModelConfig& config) {
  if (config.is_siglip()) return "siglip";
  return config.vision.is_resnet() ? "modified-resnet" : "vit";
}

v1::Model Describe(const model::ClipModel& loaded) {
  v1::Model message;
  message.set_digest(loaded.digest);
  message.set_layout_digest(loaded.image_weights.layout().digest());
  message.set_architecture(ArchitectureOf(loaded.config));
  const data::ImageSize image_size = loaded.config.vision.image_size;
  message.set_image_size_pixels(static_cast<int32_t>(image_size.height));
  if (!image_size.is_square()) message.set_image_width_pixels(static_cast<int32_t>(image_size.width));
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

absl::Status ModelService::AnnounceModels() {
  return AnyRecord<store::ModelRecord>(
             [this](const store::PageRequest& page) { return context_.metadata.ListModels(page); },
             [this](const store::ModelRecord& record) {
               health_.SetServing(ResourceName(kModels, record.id));
               return false;
             })
      .status();
}

grpc::ServerUnaryReactor* ModelService::ImportModel(grpc::CallbackServerContext* context,
                                                    const v1::ImportModelRequest* request, v1::Model* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return ImportFromPath(*request, call.cancellation(), response); });
}

grpc::ServerUnaryReactor* ModelService::InitializeModel(grpc::CallbackServerContext* context,
                                                        const v1::InitializeModelRequest* request,
                                                        v1::Model* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return Initialize(*request, call.cancellation(), response); });
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

absl::Status ModelService::CheckImport(const v1::ImportModelRequest& request) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.model_id(), "model_id", request.request_id()));
  if (request.architecture().empty()) return absl::OkStatus();
  return base::WithField(model::NamedArchitecture(request.architecture()).status(), "architecture");
}

absl::Status ModelService::ImportFromPath(const v1::ImportModelRequest& request,
                                          const base::CancellationToken& cancellation, v1::Model* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.model_id(), "model_id", request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  if (const auto answer = AnswerRepeatedModel(request.model_id(), key, response)) return *answer;
  MP_RETURN_IF_ERROR(CheckImport(request));
  const auto path = context_.import_roots.Resolve(request.path());
  if (!path.ok()) return base::WithField(path.status(), "path");
  if (std::error_code error; !std::filesystem::is_directory(*path, error)) {
    return base::WithField(
        base::InvalidArgument("NOT_A_DIRECTORY",
                              fmt::format("'{}' is not a directory; give the model's directory", *path)),
        "path");
  }
  return Import(request, key, {context_.import_roots, *path, *path}, cancellation, response);
}

absl::Status ModelService::Import(const v1::ImportModelRequest& request, const RequestKey& key, const Source& source,
                                  const base::CancellationToken& cancellation, v1::Model* response) {
  std::optional<model::ModelConfig> architecture;
  if (!request.architecture().empty()) {
    MP_ASSIGN_OR_RETURN(architecture, model::NamedArchitecture(request.architecture()));
  }
  MP_ASSIGN_OR_RETURN(const std::unique_ptr<StagedDirectory> staged, context_.models.Stage());
  const ModelCopyOptions options{architecture, request.allow_unverified_family()};
  if (const absl::Status copied = CopyModel(source.roots, source.path, staged->path(), options, cancellation);
      !copied.ok()) {
    return AtField(copied, "path");
  }
  return Add(request.model_id(), key, source.path, source.recorded_path, *staged, cancellation, response);
}

absl::Status ModelService::Initialize(const v1::InitializeModelRequest& request,
                                      const base::CancellationToken& cancellation, v1::Model* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.model_id(), "model_id", request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  if (const auto answer = AnswerRepeatedModel(request.model_id(), key, response)) return *answer;
  if (const auto known = model::NamedArchitecture(request.architecture()); !known.ok()) {
    return base::WithField(known.status(), "architecture");
  }
  MP_ASSIGN_OR_RETURN(const std::unique_ptr<StagedDirectory> staged, context_.models.Stage());
  MP_RETURN_IF_ERROR(model::WriteRandomModel(staged->path(), request.architecture(),
                                             static_cast<uint64_t>(request.seed()), cancellation));
  return Add(request.model_id(), key, /*shown_path=*/"", /*recorded_path=*/"", *staged, cancellation, response);
}

std::optional<absl::Status> ModelService::AnswerRepeatedModel(const std::string& id, const RequestKey& key,
                                                              v1::Model* response) {
  return AnswerRepeated(kModels, context_.metadata.GetModel(id), key, response);
}

absl::Status ModelService::Add(const std::string& id, const RequestKey& key, const std::string& shown_path,
                               const std::string& recorded_path, StagedDirectory& staged,
                               const base::CancellationToken& cancellation, v1::Model* response) {
  // The copy is loaded, not the original: what was checked is what is kept.
  v1::Model message;
  {
    const auto loaded = model::LoadModel(staged.path(), tensor::Device(), cancellation);
    if (!loaded.ok()) {
      return AtField(WithPathShownAs(loaded.status(), staged.path(), shown_path), "path");
    }
    message = Describe(**loaded);
  }
  message.set_source_path(recorded_path);
  message.set_size_bytes(DirectoryBytes(staged.path()));
  store::ModelRecord record;
  record.id = id;
  record.digest = message.digest();
  record.details_json = ToRecordJson(message, key);
  record.create_time = context_.clock.Now();

  base::MutexLock lock(context_.models.mutex());
  MP_RETURN_IF_ERROR(context_.models.Publish(staged, record.digest));
  if (const absl::Status inserted = context_.metadata.InsertModel(record); !inserted.ok()) {
    const auto in_use = InUse(record.digest);
    if (in_use.ok() && !*in_use) (void)context_.models.Remove(record.digest);
    // The same call may have been made twice at a time, and the other one was faster.
    return AnswerRepeatedModel(id, key, response).value_or(inserted);
  }
  health_.SetServing(ResourceName(kModels, record.id));
  context_.log.Info("model imported", {{"model", record.id}, {"digest", record.digest}, {"path", recorded_path}});
  MP_ASSIGN_OR_RETURN(*response, ToMessage(record));
  return absl::OkStatus();
}

absl::Status ModelService::Delete(const std::string& name) {
  const auto id = ParseResourceName(kModels, name);
  if (!id.ok()) return base::WithField(id.status(), "name");
  base::MutexLock lock(context_.models.mutex());
  MP_ASSIGN_OR_RETURN(const store::ModelRecord record, context_.metadata.GetModel(*id));
  MP_RETURN_IF_ERROR(context_.metadata.DeleteModel(*id));
  health_.Remove(ResourceName(kModels, *id));
  MP_ASSIGN_OR_RETURN(const bool in_use, InUse(record.digest));
  if (!in_use) {
    context_.engine.EvictModel(context_.models.PathOf(record.digest));
    MP_RETURN_IF_ERROR(context_.models.Remove(record.digest));
  }
  context_.log.Info("model deleted", {{"model", *id}});
  return absl::OkStatus();
}

absl::Status ModelService::Export(const v1::ExportModelRequest& request, v1::ExportModelResponse* response) {
  MP_RETURN_IF_ERROR(CheckLayout(request.layout()));
  const auto path = ResolveExportPath(context_.options.export_root, request.path());
  if (!path.ok()) return base::WithField(path.status(), "path");
  MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.ResolveRequest(request));
  MP_RETURN_IF_ERROR(Write(resolution, request.layout(), *path));
  context_.log.Info("model exported", {{"model", resolution.model.id}, {"path", *path}});
  response->set_path(*path);
  response->set_size_bytes(DirectoryBytes(*path));
  *response->mutable_mixture() = std::move(resolution.message);
  *response->mutable_weights() = std::move(resolution.weights);
  return absl::OkStatus();
}

absl::Status ModelService::Write(const Resolution& resolution, v1::ExportLayout layout, const std::string& path) {
  const serve::ResolvedMixture& mixture = resolution.mixture;
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(mixture.model_directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet weights, MergeWeights(*model, mixture.terms, context_.blobs));
  MP_ASSIGN_OR_RETURN(const CardContent content, DescribeForCard(resolution));
  const std::string card = ModelCard(content, layout, Version());
  return WriteExport(path, layout, *model, mixture.model_directory, weights, card);
}

absl::StatusOr<CardContent> ModelService::DescribeForCard(const Resolution& resolution) const {
  CardContent content;
  MP_ASSIGN_OR_RETURN(content.model, ToMessage(resolution.model));
  content.mixture = resolution.message;
  content.patch = resolution.weights.patch();
  for (const v1::MixtureTerm& term : content.mixture.terms()) {
    MP_ASSIGN_OR_RETURN(const store::CheckpointRecord record, context_.resolver.FindCheckpoint(term.checkpoint()));
    MP_ASSIGN_OR_RETURN(content.checkpoints.emplace_back(), ToMessage(record));
  }
  if (content.checkpoints.empty()) return content;
  const auto job_id = ParseResourceName(kPatchJobs, content.checkpoints[0].lineage().patch_job());
  if (!job_id.ok()) return content;  // no job made it
  const auto job = context_.metadata.GetJob(*job_id);
  if (!job.ok()) return content;  // deleted meanwhile
  MP_ASSIGN_OR_RETURN(const auto steps, context_.metadata.ListSteps(*job_id));
  MP_ASSIGN_OR_RETURN(const v1::PatchJob message, ToMessage(*job, steps, std::nullopt));
  content.accuracies = MeasuredAt(message.result(), content.mixture);
  return content;
}

absl::StatusOr<bool> ModelService::InUse(const std::string& digest) {
  return AnyRecord<store::ModelRecord>(
      [this](const store::PageRequest& page) { return context_.metadata.ListModels(page); },
      [&](const store::ModelRecord& record) { return record.digest == digest; });
}

}  // namespace modelpatch::server
