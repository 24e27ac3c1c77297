#include "client/channel.h"

#include <grpcpp/grpcpp.h>

#include "client/client.h"

namespace modelpatch::client {
namespace {

constexpr int kMaximumMessageBytes = 64 << 20;

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaximumMessageBytes);
  arguments.SetMaxSendMessageSize(kMaximumMessageBytes);
  // The server's address is given, mostly a loopback one: a proxy of the environment must not come between.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

}  // namespace

std::shared_ptr<grpc::ChannelInterface> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), Arguments());
}

std::shared_ptr<grpc::ChannelInterface> MakeUnsharedChannel(const std::string& address) {
  grpc::ChannelArguments arguments = Arguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace modelpatch::client
