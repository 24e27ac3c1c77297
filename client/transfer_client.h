// TransferClient: files to the server and back: uploads of models and tasks, downloads of models.
//
// Every call blocks. An upload whose connection breaks goes on where the server has it, with growing waits between the
// tries; a download begins anew. Thread safety: thread-safe. Ownership: shares the channel.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/local_files.h"
#include "modelpatch/v1/model_service.pb.h"
#include "modelpatch/v1/task_service.pb.h"
#include "modelpatch/v1/upload_service.pb.h"

namespace modelpatch::client {

// How far a transfer is, in bytes.
using TransferProgress = std::function<void(int64_t done_bytes, int64_t total_bytes)>;

class TransferClient {
 public:
  explicit TransferClient(std::shared_ptr<grpc::ChannelInterface> channel, ClientOptions options = {});
  ~TransferClient();
  TransferClient(const TransferClient&) = delete;
  TransferClient& operator=(const TransferClient&) = delete;

  // The errors of each call are listed beside it in proto/modelpatch/v1. A file that cannot be read, or changes
  // meanwhile, is INVALID_ARGUMENT.
  absl::StatusOr<v1::Model> UploadModel(v1::ImportModelRequest request, const std::vector<LocalFile>& files,
                                        const TransferProgress& progress = {});
  absl::StatusOr<v1::Task> UploadTask(v1::CreateTaskRequest request, const std::vector<LocalFile>& files,
                                      const TransferProgress& progress = {});

  // Writes the model to the new directory `directory`, which is there as a whole or not at all. ALREADY_EXISTS,
  // DATA_LOSS if what came is not what was sent.
  absl::StatusOr<v1::DownloadStart> DownloadModel(const v1::DownloadModelRequest& request, const std::string& directory,
                                                  const TransferProgress& progress = {});

  absl::StatusOr<v1::Upload> GetUpload(const std::string& name);
  absl::Status DeleteUpload(const std::string& name);

 private:
  struct Stubs;

  const ClientOptions options_;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace modelpatch::client
