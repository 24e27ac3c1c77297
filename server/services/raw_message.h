// Messages of streams that are read and written as bytes: gRPC says of a message that it cannot parse no more than that
// the stream has ended, and parses on a thread that should not be kept.
//
// Pure functions.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include "core/base/status.h"
#include "server/status_conversion.h"

namespace modelpatch::server {

// INVALID_ARGUMENT (MALFORMED_REQUEST).
template <typename Message>
absl::StatusOr<Message> ParseMessage(grpc::ByteBuffer bytes) {
  Message message;
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader)) return MalformedRequest();
  return message;
}

template <typename Message>
grpc::ByteBuffer SerializeMessage(const Message& message) {
  grpc::ByteBuffer bytes;
  const auto size = static_cast<int>(message.ByteSizeLong());
  grpc::ProtoBufferWriter writer(&bytes, grpc::kProtoBufferWriterMaxBufferLength, size);
  message.SerializeToZeroCopyStream(&writer);
  return bytes;
}

}  // namespace modelpatch::server
