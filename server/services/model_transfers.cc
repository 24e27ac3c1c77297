// ModelService's streams: models that come from clients, and go to them.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/model_download.h"
#include "server/model_export.h"
#include "server/services/model_service.h"
#include "server/services/pull_stream.h"
#include "server/services/upload_call.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

constexpr int64_t kMaximumUploadedFiles = 1000;

}  // namespace

grpc::ServerReadReactor<v1::UploadModelRequest>* ModelService::UploadModel(grpc::CallbackServerContext*,
                                                                           v1::Model* response) {
  using Call = UploadCall<v1::UploadModelRequest, v1::Model>;
  Call::Hooks hooks;
  hooks.maximum_files = kMaximumUploadedFiles;
  hooks.answer_early = [this](const v1::UploadModelHeader& header, v1::Model* model) -> std::optional<absl::Status> {
    const v1::ImportModelRequest& request = header.request();
    if (!request.path().empty()) {
      return base::WithField(
          base::InvalidArgument("PATH_WITH_UPLOAD", "the files are those of the upload; leave the path out"),
          "request.path");
    }
    const absl::Status checked = CheckImport(request);
    if (!checked.ok()) return base::WithField(checked, "request");
    const auto answer = AnswerRepeatedModel(request.model_id(), KeyOfUpload(header), model);
    return answer.has_value() ? std::optional(base::WithField(*answer, "request")) : std::nullopt;
  };
  hooks.import = [this](const v1::UploadModelHeader& header, const std::string& directory,
                        const base::CancellationToken& cancellation, v1::Model* model) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const RootPaths roots, RootPaths::Make({directory}));
    MP_ASSIGN_OR_RETURN(const std::string path, roots.Resolve("."));
    const absl::Status imported =
        Import(header.request(), KeyOfUpload(header), {roots, path, /*recorded_path=*/""}, cancellation, model);
    // The path of this model is its files.
    if (base::FieldOf(imported) == "path") return AtField(imported, "header.manifest.files");
    return base::WithField(imported, "header.request");
  };
  return Call::Start(context_, std::move(hooks), response);
}

grpc::ServerWriteReactor<v1::DownloadModelResponse>* ModelService::DownloadModel(
    grpc::CallbackServerContext*, const v1::DownloadModelRequest* request) {
  using Stream = PullStream<v1::DownloadModelResponse>;
  return Stream::Start(
      context_.streams, context_.slow, context_.transfers,
      [this, request = *request](const base::CancellationToken& cancellation) -> absl::StatusOr<Stream::Source> {
        MP_RETURN_IF_ERROR(CheckLayout(request.layout()));
        MP_ASSIGN_OR_RETURN(std::unique_ptr<StagedDirectory> staged, context_.models.Stage());
        const std::string path = staged->path() + "/model";
        MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.ResolveRequest(request));
        if (const absl::Status written = Write(resolution, request.layout(), path); !written.ok()) {
          return WithPathShownAs(written, path, "the download");
        }
        MP_RETURN_IF_ERROR(cancellation.Check());
        context_.log.Info("model exported for a download", {{"model", resolution.model.id}});
        v1::DownloadStart start;
        *start.mutable_mixture() = std::move(resolution.message);
        *start.mutable_weights() = std::move(resolution.weights);
        MP_ASSIGN_OR_RETURN(const auto download, ModelDownload::Open(std::move(staged), path, std::move(start)));
        return Stream::Source([download] { return download->Next(); });
      });
}

}  // namespace modelpatch::server
