"""Asks the official Python SDK for each authorization that is named, as an app does that has the add-on's config vars,
and prints what it was given: a line of JSON for each. Called by tests/sdk.rs."""

import asyncio
import json
import sys

from heroku_applink.authorization import Authorization


async def main():
    for name in sys.argv[1:]:
        authorization = await Authorization.find(name)
        await authorization.connection.close()
        org, user = authorization.org, authorization.org.user_auth
        told = {
            "orgId": org.id,
            "instanceUrl": org.instance_url,
            "apiVersion": org.api_version,
            "username": user.username,
            "userId": user.user_id,
            "accessToken": user.access_token,
            "type": org.type,
            "name": org.developer_name,
            "status": authorization.status,
            "createdBy": authorization.created_by,
            "createdAt": authorization.created_at.isoformat(),
        }
        print(json.dumps(told))


asyncio.run(main())
