// Bulk classification over one stream.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "modelpatch/v1/inference_service.pb.h"

namespace modelpatch::client {

// Sends what `next_image` gives until it gives nothing, and calls `on_start` once and `on_result` for each result, in
// the order in which they come. Blocks to the end of the stream; `next_image` runs on a thread of its own, the others
// in the calling one. An error of `next_image` ends the stream and is returned. A stream that broke is not begun again:
// results have been given out. There is no deadline.
absl::Status StreamClassify(const std::shared_ptr<grpc::ChannelInterface>& channel,
                            const v1::StreamClassifyHeader& header,
                            const std::function<absl::StatusOr<std::optional<v1::StreamClassifyImage>>()>& next_image,
                            const std::function<void(const v1::StreamClassifyStart&)>& on_start,
                            const std::function<void(const v1::StreamClassifyResult&)>& on_result);

}  // namespace modelpatch::client
