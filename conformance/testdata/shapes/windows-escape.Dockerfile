# escape=`
FROM mcr.invalid/windows/servercore:ltsc2022
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue';"]
ENV GIT_VERSION 2.23.0
RUN [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12; `
	$url = ('https://downloads.invalid/v{0}/MinGit-{0}-64-bit.zip' -f $env:GIT_VERSION); `
	Write-Host ('Downloading {0} ...' -f $url); `
	Invoke-WebRequest -Uri $url -OutFile 'git.zip'; `
	$newPath = ('C:\git\cmd;C:\git\mingw64\bin;{0}' -f $env:PATH); `
	[Environment]::SetEnvironmentVariable('PATH', $newPath, [EnvironmentVariableTarget]::Machine)
ENV GOPATH C:\gopath
WORKDIR $GOPATH
