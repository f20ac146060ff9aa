"""A charge by the third-party client `ocpp` (mobilityhouse), from boot to stop: an independent reading of the standard.

usage: charge.py URL IDENTITY PASSWORD TAG
It ends when the server has asked it for its configuration as well (POST …/commands, GetConfiguration).
Prints one JSON object with what the server answered; any answer that the client's schemas refuse ends it with an error.
"""

import asyncio
import base64
import json
import sys
from datetime import datetime, timedelta, timezone

import websockets
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.routing import on


class Station(ChargePoint):
    """Answers the commands that the test sends."""

    commands = []

    @on("GetConfiguration")
    def get_configuration(self, **payload):
        self.commands.append("GetConfiguration")
        known = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
        return call_result.GetConfiguration(configuration_key=[known])


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


async def charge(station, tag):
    said = {}
    boot = await station.call(call.BootNotification(charge_point_vendor="Acme", charge_point_model="Wall"))
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


async def main(url, identity, password, tag):
    basic = base64.b64encode(f"{identity}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    async with websockets.connect(
        f"{url}/{identity}", subprotocols=["ocpp1.6"], additional_headers=headers
    ) as socket:
        station = Station(identity, socket)
        listening = asyncio.create_task(station.start())
        said = await charge(station, tag)
        # The test queues a GetConfiguration beforehand; it comes when the station is there.
        while not station.commands:
            await asyncio.sleep(0.05)
        said["commands"] = station.commands
        listening.cancel()
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), timeout=30))
