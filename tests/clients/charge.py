"""A charge by the third-party client `ocpp` (mobilityhouse), from boot to stop: an independent reading of the standard.

usage: charge.py URL IDENTITY TAG [--password P] [--ca FILE] [--cert FILE --key FILE]
It comes by TLS where the URL says wss, and with a certificate of its own where it has one. It ends when the server has asked it for its configuration as well (POST …/commands, GetConfiguration).
Prints one JSON object with what the server answered; any answer that the client's schemas refuse ends it with an error.
"""

import argparse
import asyncio
import base64
import json
import ssl
from datetime import datetime, timedelta, timezone

import websockets
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.routing import after, on


class Station(ChargePoint):
    """Answers the commands that the test sends."""

    commands = []

    @on("GetConfiguration")
    def get_configuration(self, **payload):
        known = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
        return call_result.GetConfiguration(configuration_key=[known])

    @after("GetConfiguration")
    def answered(self, **payload):
        """The answer has left: to go before would be to be asked again."""
        self.commands.append("GetConfiguration")


def samples(at, energy_wh, power_w):
    return {
        "timestamp": at.isoformat(),
        "sampledValue": [
            {"value": str(energy_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": str(power_w), "measurand": "Power.Active.Import", "unit": "W"},
            {"value": "16.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
            {"value": "55", "measurand": "SoC", "unit": "Percent"},
        ],
    }


async def charge(station, identity, tag):
    said = {}
    boot = await station.call(
        call.BootNotification(
            charge_point_vendor="Acme", charge_point_model="Wall", charge_point_serial_number=identity
        )
    )
    said["boot"] = boot.status
    for connector in (0, 1):
        await station.call(call.StatusNotification(connector_id=connector, error_code="NoError", status="Available"))
    said["heartbeat"] = (await station.call(call.Heartbeat())).current_time
    said["authorize"] = (await station.call(call.Authorize(id_tag=tag))).id_tag_info["status"]
    at = datetime.now(timezone.utc) - timedelta(minutes=30)
    start = await station.call(
        call.StartTransaction(connector_id=1, id_tag=tag, meter_start=1_200_000, timestamp=at.isoformat())
    )
    said["transaction"] = start.transaction_id
    for minute in (5, 10, 15):
        value = samples(at + timedelta(minutes=minute), 1_200_000 + 600 * minute, 7200)
        await station.call(
            call.MeterValues(connector_id=1, transaction_id=start.transaction_id, meter_value=[value])
        )
    stop = await station.call(
        call.StopTransaction(
            meter_stop=1_212_345,
            timestamp=(at + timedelta(minutes=20)).isoformat(),
            transaction_id=start.transaction_id,
            id_tag=tag,
            reason="EVDisconnected",
        )
    )
    said["stop"] = stop.id_tag_info["status"]
    return said


def tls(asked):
    if not asked.url.startswith("wss://"):
        return None
    context = ssl.create_default_context(cafile=asked.ca)
    if asked.cert:
        context.load_cert_chain(asked.cert, asked.key)
    return context


async def main(asked):
    headers = {}
    if asked.password:
        basic = base64.b64encode(f"{asked.identity}:{asked.password}".encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
    async with websockets.connect(
        f"{asked.url}/{asked.identity}", subprotocols=["ocpp1.6"], additional_headers=headers, ssl=tls(asked)
    ) as socket:
        station = Station(asked.identity, socket)
        listening = asyncio.create_task(station.start())
        said = await charge(station, asked.identity, asked.tag)
        # The test queues a GetConfiguration beforehand; it comes when the station is there.
        while not station.commands:
            await asyncio.sleep(0.05)
        said["commands"] = station.commands
        said["tls"] = socket.transport.get_extra_info("cipher") is not None
        listening.cancel()
    print(json.dumps(said))


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    for name in ("url", "identity", "tag"):
        words.add_argument(name)
    for name in ("--password", "--ca", "--cert", "--key"):
        words.add_argument(name)
    asyncio.run(asyncio.wait_for(main(words.parse_args()), timeout=30))
