#include "client/classify_stream.h"

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/status_details.h"
#include "modelpatch/v1/inference_service.grpc.pb.h"

namespace modelpatch::client {
namespace {

using Stream = grpc::ClientReaderWriter<v1::StreamClassifyRequest, v1::StreamClassifyResponse>;

struct Sending {
  absl::Status status;
  int64_t images = 0;
};

void SendAll(Stream& stream, grpc::ClientContext& context, const v1::StreamClassifyHeader& header,
             const std::function<absl::StatusOr<std::optional<v1::StreamClassifyImage>>()>& next_image,
             Sending& sending) {
  v1::StreamClassifyRequest request;
  *request.mutable_header() = header;
  bool open = stream.Write(request);
  while (open) {
    auto image = next_image();
    if (!image.ok()) {
      sending.status = image.status();
      context.TryCancel();
      return;
    }
    if (!image->has_value()) {
      stream.WritesDone();
      return;
    }
    request.mutable_images()->clear_images();
    *request.mutable_images()->add_images() = **std::move(image);
    open = stream.Write(request);
    ++sending.images;
  }
}

}  // namespace

absl::Status StreamClassify(const std::shared_ptr<grpc::ChannelInterface>& channel,
                            const v1::StreamClassifyHeader& header,
                            const std::function<absl::StatusOr<std::optional<v1::StreamClassifyImage>>()>& next_image,
                            const std::function<void(const v1::StreamClassifyStart&)>& on_start,
                            const std::function<void(const v1::StreamClassifyResult&)>& on_result) {
  const auto stub = v1::InferenceService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->StreamClassify(&context);
  Sending sending;
  std::thread sender([&] { SendAll(*stream, context, header, next_image, sending); });
  v1::StreamClassifyResponse response;
  int64_t results = 0;
  while (stream->Read(&response)) {
    if (response.has_start()) on_start(response.start());
    if (!response.has_result()) continue;
    ++results;
    on_result(response.result());
  }
  sender.join();
  const absl::Status status = FromGrpcStatus(stream->Finish());
  if (!sending.status.ok()) return sending.status;
  if (status.ok() && results != sending.images) {
    return absl::DataLossError(
        absl::StrCat("the server answered ", results, " of ", sending.images, " images; its version may differ"));
  }
  return status;
}

}  // namespace modelpatch::client
