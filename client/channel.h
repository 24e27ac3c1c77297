// A channel that shares its connection with no other. Thread-safe.
#pragma once

#include <memory>
#include <string>

namespace grpc {
class ChannelInterface;
}

namespace modelpatch::client {

// As MakeChannel (client.h), whose channels to one address share a connection.
std::shared_ptr<grpc::ChannelInterface> MakeUnsharedChannel(const std::string& address);

}  // namespace modelpatch::client
