"""Serve a folder's flask_app over HTTP, and end when the process that asked for it is gone.

A program of its own: ``python shop_server.py`` reads a line of JSON, {"folder": where flask_app
lies, "database": its URI}, and answers with one: {"port": ...} or {"error": reason}. It listens
on the loopback interface only, on a port that the system chose. When its standard input
ends, because the kernel closed it or died, it exits.
"""

import json
import logging
import os
import sys
import threading


def end_with_input() -> None:
    """Wait for the end of the standard input, and exit whatever the server does."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve until the standard input ends."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    sys.path.insert(0, asked["folder"])
    logging.disable()  # an error's log would go nowhere: the visitor counts it
    try:
        from werkzeug.serving import WSGIRequestHandler, make_server

        from flask_app import create_app

        class KeepAlive(WSGIRequestHandler):
            """Several requests on one connection, each answered without delay."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

        app = create_app({"SQLALCHEMY_DATABASE_URI": asked["database"]})
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepAlive)
    except Exception as error:  # the kernel shows it in one line
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
