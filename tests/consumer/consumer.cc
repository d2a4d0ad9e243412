// consumer.cc - a service outside of the tree, in C++11: the headers in C++,
// with the library's calls behind objects and an answer that may throw.
//
// SPDX-License-Identifier: MIT

#include <cstdio>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tailbox.h>
#include <tailbox/mhd.h>
#include <tailbox/pool.h>

namespace
{

// Recording, as long as this lives.
class Recording
{
public:
	explicit Recording(const char *service)
		: code_(tailbox_start(service, nullptr))
	{
	}
	~Recording() { tailbox_stop(); }
	Recording(const Recording &) = delete;
	Recording &operator=(const Recording &) = delete;
	int code() const { return code_; }

private:
	int code_;
};

std::string work(tailbox_request r)
{
	// A scope that is left by an exception ends as a partial event.
	try {
		TAILBOX_STAGE(r, "throws") {
			throw std::runtime_error("caught");
		}
	} catch (const std::runtime_error &) {
	}
	std::string text;
	TAILBOX_STAGE(r, "work") {
		text = "hello\n";
	}
	return text;
}

enum MHD_Result answer(void *, struct MHD_Connection *connection, const char *,
                       const char *, const char *, const char *, size_t *,
                       void **)
{
	std::string text = work(tailbox_request_of(connection));
	struct MHD_Response *response = MHD_create_response_from_buffer(
		text.size(), &text[0], MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result =
		MHD_queue_response(connection, MHD_HTTP_OK, response);

	MHD_destroy_response(response);
	return result;
}

// Ask once; true when the answer is 200.
bool ask(unsigned port)
{
	const std::string line = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	                         "Connection: close\r\n\r\n";
	struct sockaddr_in to = sockaddr_in();
	std::string got;
	char buf[256];
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_family = AF_INET;
	to.sin_port = htons(static_cast<uint16_t>(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return false;
	if (connect(fd, reinterpret_cast<struct sockaddr *>(&to),
	            sizeof(to)) == 0 &&
	    write(fd, line.data(), line.size()) ==
	            static_cast<ssize_t>(line.size())) {
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			got.append(buf, static_cast<size_t>(n));
	}
	close(fd);
	return got.compare(0, 12, "HTTP/1.1 200") == 0;
}

} // namespace

int main()
{
	struct tailbox_options options;

	tailbox_options_init(&options);
	options.service_version = "1.0";
	if (options.size != sizeof(options))
		return 1;

	Recording recording("consumer");
	if (recording.code() != 0)
		std::printf("not recorded: %s\n",
		            tailbox_strerror(recording.code()));
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr, &answer,
		nullptr, MHD_OPTION_END);
	if (d == nullptr)
		return 1;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	int served = 0;
	for (int i = 0; info != nullptr && i < 3; i++)
		served += ask(info->port);
	tailbox_mhd_stop_daemon(d);
	std::printf("served %d requests\n", served);
	return served != 3 || recording.code() != 0;
}
