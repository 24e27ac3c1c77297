// A Classify request as bytes, of which everything is parsed but the class prompts: those were mostly seen before (see
// class_lists.h), and of thousands of names parsing them is what takes time.
//
// Pure function.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <string>

#include "core/base/status.h"
#include "modelpatch/v1/inference_service.pb.h"

namespace modelpatch::server {

struct ClassifyMessage {
  // Without its class prompts.
  v1::ClassifyRequest request;
  // These, as a message of their own; empty if there are none.
  std::string class_prompts;
};

// INVALID_ARGUMENT (MALFORMED_REQUEST); whether the class prompts can be parsed is not looked at.
absl::StatusOr<ClassifyMessage> ParseClassify(grpc::ByteBuffer bytes);

}  // namespace modelpatch::server
