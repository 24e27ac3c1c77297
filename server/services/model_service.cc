#include "server/services/model_service.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "core/model/model_loader.h"
#include "core/tensor/safetensors_header.h"
#include "server/copy_files.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/services/listing.h"

namespace modelpatch::server {
namespace {

// Checks the header of the weights that are to follow the small files already in `destination`.
absl::Status CheckBeforeWeights(const RootPaths& roots, const std::string& weights, const std::string& destination) {
  constexpr uint64_t kLengthBytes = 8;
  MP_ASSIGN_OR_RETURN(const FileBeginning length, ReadBeginning(roots, weights, kLengthBytes));
  MP_ASSIGN_OR_RETURN(const uint64_t count, tensor::SafetensorsPrefixBytes(length.bytes, length.file_bytes));
  MP_ASSIGN_OR_RETURN(const FileBeginning beginning, ReadBeginning(roots, weights, count));
  MP_ASSIGN_OR_RETURN(const auto header, tensor::ParseSafetensorsHeader(beginning.bytes, beginning.file_bytes));
  return model::CheckModelBeforeWeights(destination, header);
}

// Copies the files that make a model, the weights last and only if the others and their header can be right. A file
// that is not there is left to the loader, which says what is missing.
absl::Status CopyModel(const RootPaths& roots, const std::string& source, const std::string& destination,
                       const base::CancellationToken& cancellation) {
  for (const std::string& name : model::ModelFileNames()) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    std::error_code error;
    const std::string path = source + "/" + name;
    if (!std::filesystem::exists(path, error)) continue;
    const bool is_weights = name == model::ModelFileNames().back();
    if (is_weights) {
      MP_RETURN_IF_ERROR(WithPathShownAs(CheckBeforeWeights(roots, path, destination), destination, source));
    }
    MP_RETURN_IF_ERROR(CopyFile(roots, path, destination + "/" + name, cancellation,
                                is_weights ? UINT64_MAX : model::kMaximumModelTextBytes));
  }
  return absl::OkStatus();
}

v1::Model Describe(const model::ClipModel& loaded) {
  v1::Model message;
  message.set_digest(loaded.digest);
  message.set_layout_digest(loaded.image_weights.layout().digest());
  message.set_architecture("vit");
  message.set_image_size_pixels(static_cast<int32_t>(loaded.config.vision.image_size));
  message.set_patch_size_pixels(static_cast<int32_t>(loaded.config.vision.patch_size));
  message.set_embedding_dimension(static_cast<int32_t>(loaded.config.embedding_width));
  message.set_context_length_tokens(static_cast<int32_t>(loaded.config.text.context_length));
  message.set_vocabulary_size(static_cast<int32_t>(loaded.config.text.vocabulary_size));
  message.set_logit_scale(loaded.logit_scale);
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
  if (const absl::Status copied = CopyModel(context_.import_roots, *source, staged->path(), cancellation);
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

absl::StatusOr<bool> ModelService::InUse(const std::string& digest) {
  return AnyRecord<store::ModelRecord>(
      [this](const store::PageRequest& page) { return context_.metadata.ListModels(page); },
      [&](const store::ModelRecord& record) { return record.digest == digest; });
}

}  // namespace modelpatch::server
