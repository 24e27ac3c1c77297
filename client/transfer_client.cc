#include "client/transfer_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/download.h"
#include "client/file_digest.h"
#include "client/request_ids.h"
#include "client/status_details.h"
#include "client/status_macros.h"
#include "client/unary_call.h"
#include "modelpatch/v1/model_service.grpc.pb.h"
#include "modelpatch/v1/task_service.grpc.pb.h"
#include "modelpatch/v1/upload_service.grpc.pb.h"

namespace modelpatch::client {

struct TransferClient::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : models(v1::ModelService::NewStub(channel)),
        tasks(v1::TaskService::NewStub(channel)),
        uploads(v1::UploadService::NewStub(channel)) {}

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::TaskService::Stub> tasks;
  std::unique_ptr<v1::UploadService::Stub> uploads;
};

namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

absl::Status CannotRead(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
}

absl::StatusOr<v1::UploadManifest> MakeManifest(const std::vector<LocalFile>& files) {
  v1::UploadManifest manifest;
  manifest.set_upload_id(RandomId());
  for (const LocalFile& file : files) {
    CLIENT_ASSIGN_OR_RETURN(const FileContent content, DigestFile(file.local_path));
    v1::UploadFile& message = *manifest.add_files();
    message.set_path(file.path);
    message.set_size_bytes(content.bytes);
    message.set_sha256(content.sha256);
  }
  return manifest;
}

// Sends what the server does not have yet of one file. False if the stream has ended.
template <typename Request, typename Writer>
absl::StatusOr<bool> SendFile(Writer& writer, const LocalFile& file, int index, int64_t from, int64_t bytes,
                              const std::function<void(int64_t)>& sent) {
  std::ifstream content(file.local_path, std::ios::binary);
  if (!content || !content.seekg(from)) return CannotRead(file.local_path);
  for (int64_t offset = from; offset < bytes;) {
    Request request;
    v1::UploadChunk& chunk = *request.mutable_chunk();
    chunk.set_file_index(index);
    chunk.set_offset_bytes(offset);
    chunk.mutable_data()->resize(static_cast<size_t>(std::min(kChunkBytes, bytes - offset)));
    const auto wanted = static_cast<std::streamsize>(chunk.data().size());
    if (!content.read(chunk.mutable_data()->data(), wanted)) {
      return absl::InvalidArgumentError(absl::StrCat(file.local_path, " became shorter while it was sent"));
    }
    if (!writer.Write(request)) return false;
    offset += wanted;
    sent(wanted);
  }
  return true;
}

bool MayGoOn(const absl::Status& status) {
  // The server has not seen yet that our own earlier connection is gone.
  return absl::IsUnavailable(status) || (absl::IsAborted(status) && ReasonOf(status) == "UPLOAD_IN_USE");
}

// One try. `received` says what the server has; `open` begins the call.
template <typename Request, typename Response, typename Open>
absl::StatusOr<Response> SendOnce(const Open& open, const Request& header, const std::vector<LocalFile>& files,
                                  const std::vector<int64_t>& received, std::chrono::milliseconds deadline,
                                  const TransferProgress& progress) {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  Response response;
  const auto writer = open(&context, &response);
  bool open_still = writer->Write(header);
  int64_t total = 0;
  int64_t done = 0;
  const v1::UploadManifest& manifest = header.header().manifest();
  for (const v1::UploadFile& file : manifest.files()) total += file.size_bytes();
  for (const int64_t bytes : received) done += bytes;
  const auto report = [&](int64_t bytes) {
    done += bytes;
    if (progress) progress(done, total);
  };
  report(0);
  absl::Status failed;
  for (int i = 0; i < manifest.files_size() && open_still && failed.ok(); ++i) {
    const int64_t from = received.empty() ? 0 : received[static_cast<size_t>(i)];
    if (from == manifest.files(i).size_bytes()) continue;
    const auto sent =
        SendFile<Request>(*writer, files[static_cast<size_t>(i)], i, from, manifest.files(i).size_bytes(), report);
    failed = sent.status();
    open_still = sent.ok() && *sent;
  }
  if (!failed.ok()) {
    context.TryCancel();
  } else if (open_still) {
    writer->WritesDone();
  }
  const absl::Status status = FromGrpcStatus(writer->Finish());
  if (!failed.ok()) return failed;
  if (!status.ok()) return status;
  return response;
}

// What the server has of the upload; nothing if it has never heard of it.
absl::StatusOr<std::vector<int64_t>> ReceivedOf(TransferClient& client, const v1::UploadManifest& manifest) {
  const auto upload = client.GetUpload("uploads/" + manifest.upload_id());
  if (absl::IsNotFound(upload.status())) return std::vector<int64_t>();
  CLIENT_RETURN_IF_ERROR(upload.status());
  if (upload->file_received_bytes_size() != manifest.files_size()) {
    return absl::DataLossError("the server has another upload under this upload's id; try again");
  }
  return std::vector<int64_t>(upload->file_received_bytes().begin(), upload->file_received_bytes().end());
}

// Tries until the server has all of it, or says no.
template <typename Request, typename Response, typename Open>
absl::StatusOr<Response> Send(TransferClient& client, const Open& open, const Request& header,
                              const std::vector<LocalFile>& files, const ClientOptions& options,
                              const TransferProgress& progress) {
  std::vector<int64_t> received;
  for (int failures = 0;;) {
    const auto response = SendOnce<Request, Response>(open, header, files, received, options.long_deadline, progress);
    if (response.ok() || !MayGoOn(response.status())) return response;
    const std::vector<int64_t> before = std::exchange(received, {});
    while (true) {
      if (++failures >= options.watch_maximum_attempts) return response;
      Wait(options.retry, BackoffAfter(options.retry, failures));
      auto now = ReceivedOf(client, header.header().manifest());
      if (now.ok()) {
        received = *std::move(now);
        break;
      }
      if (!absl::IsUnavailable(now.status())) return now.status();
    }
    // A connection that breaks again and again is no reason to give up while the upload gets on.
    if (received != before) failures = 0;
  }
}

}  // namespace

TransferClient::TransferClient(std::shared_ptr<grpc::ChannelInterface> channel, ClientOptions options)
    : options_(std::move(options)), stubs_(std::make_unique<Stubs>(channel)) {}

TransferClient::~TransferClient() = default;

absl::StatusOr<v1::Model> TransferClient::UploadModel(v1::ImportModelRequest request,
                                                      const std::vector<LocalFile>& files,
                                                      const TransferProgress& progress) {
  EnsureRequestId(request);
  v1::UploadModelRequest header;
  *header.mutable_header()->mutable_request() = std::move(request);
  CLIENT_ASSIGN_OR_RETURN(*header.mutable_header()->mutable_manifest(), MakeManifest(files));
  const auto open = [&](grpc::ClientContext* context, v1::Model* response) {
    return stubs_->models->UploadModel(context, response);
  };
  return Send<v1::UploadModelRequest, v1::Model>(*this, open, header, files, options_, progress);
}

absl::StatusOr<v1::Task> TransferClient::UploadTask(v1::CreateTaskRequest request, const std::vector<LocalFile>& files,
                                                    const TransferProgress& progress) {
  EnsureRequestId(request);
  v1::UploadTaskRequest header;
  *header.mutable_header()->mutable_request() = std::move(request);
  CLIENT_ASSIGN_OR_RETURN(*header.mutable_header()->mutable_manifest(), MakeManifest(files));
  const auto open = [&](grpc::ClientContext* context, v1::Task* response) {
    return stubs_->tasks->UploadTask(context, response);
  };
  return Send<v1::UploadTaskRequest, v1::Task>(*this, open, header, files, options_, progress);
}

absl::StatusOr<v1::DownloadStart> TransferClient::DownloadModel(const v1::DownloadModelRequest& request,
                                                                const std::string& directory,
                                                                const TransferProgress& progress) {
  absl::StatusOr<v1::DownloadStart> result = absl::UnknownError("not called");
  const absl::Status status = Retry(options_.retry, [&] {
    grpc::ClientContext context;
    SetDeadline(context, options_.long_deadline);
    const auto reader = stubs_->models->DownloadModel(&context, request);
    Download download(directory, progress);
    v1::DownloadModelResponse response;
    absl::Status written;
    while (written.ok() && reader->Read(&response)) written = download.Add(response);
    if (!written.ok()) context.TryCancel();
    const absl::Status finished = FromGrpcStatus(reader->Finish());
    if (!written.ok()) return written;
    if (!finished.ok()) return finished;
    result = download.Commit();
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

absl::StatusOr<v1::Upload> TransferClient::GetUpload(const std::string& name) {
  grpc::ClientContext context;
  SetDeadline(context, options_.deadline);
  v1::GetUploadRequest request;
  request.set_name(name);
  v1::Upload response;
  const absl::Status status = FromGrpcStatus(stubs_->uploads->GetUpload(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

absl::Status TransferClient::DeleteUpload(const std::string& name) {
  grpc::ClientContext context;
  SetDeadline(context, options_.deadline);
  v1::DeleteUploadRequest request;
  request.set_name(name);
  google::protobuf::Empty response;
  return FromGrpcStatus(stubs_->uploads->DeleteUpload(&context, request, &response));
}

}  // namespace modelpatch::client
